//! The table of a network: layers, output shapes, parameters.

use super::Network;

/// Returns the table, ending in a line break.
pub(super) fn table(network: &Network) -> String {
    let mut rows = vec![["layer (type)", "output shape", "parameters", "connected to"].map(str::to_owned)];
    for port in &network.inputs {
        rows.push([format!("{} (Input)", port.name), shape(&port.shape), "0".to_owned(), String::new()]);
    }
    let names: Vec<&str> =
        network.inputs.iter().map(|port| &*port.name).chain(network.nodes.iter().map(|node| &*node.name)).collect();
    for (position, node) in network.nodes.iter().enumerate() {
        let again = network.nodes[..position].iter().any(|earlier| earlier.name == node.name);
        let count: u128 = network.weights[node.weights.clone()].iter().map(|weight| size(&weight.shape)).sum();
        let connected: Vec<&str> = node.inputs.iter().filter_map(|value| names.get(*value).copied()).collect();
        rows.push([
            format!("{} ({})", node.name, node.layer.kind()),
            shape(&node.shape),
            if again { "shared".to_owned() } else { thousands(count) },
            connected.join(", "),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..4).map(width).collect();
    let rule = "─".repeat(widths.iter().sum::<usize>() + 6);
    let mut text = String::new();
    for (index, [layer, shape, count, connected]) in rows.iter().enumerate() {
        let line = format!("{layer:<0$}  {shape:<1$}  {count:>2$}  {connected}", widths[0], widths[1], widths[2]);
        text.push_str(line.trim_end());
        text.push('\n');
        if index == 0 {
            text.push_str(&rule);
            text.push('\n');
        }
    }
    let total = |trainable: Option<bool>| {
        let counted = network.weights.iter().filter(|weight| trainable.is_none_or(|wanted| wanted == weight.trainable));
        thousands(counted.map(|weight| size(&weight.shape)).sum())
    };
    text.push_str(&format!(
        "{rule}\nparameters: {}, trainable: {}, not trainable: {}\n",
        total(None),
        total(Some(true)),
        total(Some(false))
    ));
    text
}

fn shape(shape: &[Option<usize>]) -> String {
    let axes = shape.iter().map(|axis| axis.map_or("null".to_owned(), |axis| axis.to_string()));
    let axes: Vec<String> = std::iter::once("batch".to_owned()).chain(axes).collect();
    format!("[{}]", axes.join(", "))
}

fn size(shape: &[usize]) -> u128 {
    shape.iter().map(|length| *length as u128).product()
}

fn thousands(count: u128) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
