//! A trained model for other programs: its network as ONNX, or its weights alone.

use std::path::Path;

use crate::artifact;
use crate::artifact::weights;
use crate::assemble::Model;
use crate::error::{Error, Kind, Result, codes};
use crate::network::transfer::Layout;
use crate::network::{onnx, pytorch};

/// Writes a model to a file: the network with its weights as ONNX (`.onnx`), or the weights alone (`.safetensors`) under
/// Keras's or PyTorch's names. Returns what was written, in words.
///
/// # Errors
/// Another ending; a layout for ONNX; layers that the format cannot hold; whatever the disk says.
pub fn export(model: &Model, file: &Path, layout: Option<Layout>) -> Result<String> {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let (network, named) = (model.network(), model.weights()?);
    match ending.as_str() {
        "onnx" => {
            if let Some(layout) = layout {
                return Err(Error::new(Kind::Usage, format!("the layout `{}` is one of weights alone", layout.name()))
                    .hint("leave it out: ONNX says how weights lie"));
            }
            let arrays: Vec<_> = named.into_iter().map(|(_, array)| array).collect();
            let bytes = onnx::export(network, &arrays)?;
            artifact::write_atomic(file, &bytes)?;
            Ok(format!("the network as ONNX: {} layers, {} weights", network.layers().len(), arrays.len()))
        }
        "safetensors" => {
            let layout = layout.unwrap_or(Layout::Keras);
            let named = match layout {
                Layout::Keras => named,
                Layout::PyTorch => {
                    let arrays: Vec<_> = named.into_iter().map(|(_, array)| array).collect();
                    pytorch::export(network, &arrays)?
                }
            };
            weights::save(file, &named)?;
            Ok(format!("{} weights, named and laid out as in {}", named.len(), layout.name()))
        }
        _ => Err(Error::new(
            Kind::Usage,
            format!("`{}`: expected a name that ends in `.onnx` or `.safetensors`", file.display()),
        )
        .coded(codes::WRONG_FILE)),
    }
}
