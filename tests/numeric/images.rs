//! Operations on pictures, through the functions that scripts have.

use barrage::tensor::{Array, Border, Dtype, Filter, Tensor};

use super::{Case, numbers};

fn input(case: &Case) -> Tensor {
    let x = numbers(case.input("x"));
    let array = Array::from_f64(x.data, &x.shape).unwrap();
    array.cast(if x.dtype == "uint8" { Dtype::U8 } else { Dtype::F32 }).into()
}

fn apply(case: &Case) -> barrage::Result<Tensor> {
    let params = case.params();
    let whole = |name: &str| params[name].as_i64().unwrap() as isize;
    let list = |name: &str| -> Tensor {
        let values: Vec<f32> =
            params[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect();
        let shape = [values.len()];
        Array::from_f32(values, &shape).unwrap().into()
    };
    let x = input(case);
    match case.component() {
        "resize" => {
            let filter = match params["method"].as_str().unwrap() {
                "bilinear_antialias" => Filter::parse("bilinear", true)?,
                "bilinear_half_pixel" => Filter::parse("bilinear", false)?,
                other => Filter::parse(other, true)?,
            };
            x.resize(whole("height") as usize, whole("width") as usize, filter)
        }
        "flip_left_right" => x.flip(1),
        "flip_up_down" => x.flip(0),
        "rotate90" => x.rotate90(whole("k")),
        "crop" => x.crop(whole("top"), whole("left"), whole("height"), whole("width")),
        "center_crop" => {
            let (height, width) = (whole("height"), whole("width"));
            let (top, left) = ((x.shape()[0] as isize - height) / 2, (x.shape()[1] as isize - width) / 2);
            x.crop(top, left, height, width)
        }
        "pad" => {
            let side = |name: &str| whole(name) as usize;
            let widths = [(side("top"), side("bottom")), (side("left"), side("right")), (0, 0)];
            match params["mode"].as_str().unwrap() {
                "constant" => x.pad(&widths, params.get("value").map_or(0.0, |value| value.as_f64().unwrap())),
                border => x.pad_border(&widths, Border::parse(border)?),
            }
        }
        "grayscale" => x.grayscale(),
        "normalise" => x.sub(&list("mean"))?.div(&list("std")),
        "rescale" => x.to_f32()?.mul(params["scale"].as_f64().unwrap())?.add(params["offset"].as_f64().unwrap()),
        "standardise_image" => {
            let least = 1.0 / (x.size() as f64).sqrt();
            let deviation = x.std(None, false)?.clip(least, f64::MAX)?;
            x.sub(&x.mean(None, false)?)?.div(&deviation)
        }
        other => Err(barrage::Error::recipe(format!("no operation `{other}`"))),
    }
}

/// Pictures are those of Pillow and Keras.
pub fn check(case: &Case) -> Result<(), String> {
    let found = apply(case).map_err(|error| error.to_string())?;
    let expected = numbers(case.expected("y"));
    if found.shape() != expected.shape {
        return Err(format!("expected shape {:?}, found {:?}", expected.shape, found.shape()));
    }
    let dtype = if expected.dtype == "uint8" { Dtype::U8 } else { Dtype::F32 };
    if found.dtype() != dtype {
        return Err(format!("expected {dtype}, found {}", found.dtype()));
    }
    case.compare("y", &found.to_host().unwrap().to_f64_vec(), case.expected("y"))
}
