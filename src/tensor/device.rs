//! Where a tensor lives. The only file that names Candle's CPU device.

pub use candle_core::Device;

/// Returns the CPU.
pub fn cpu() -> Device {
    Device::Cpu
}

/// Returns the first CUDA device where this program was built with CUDA and there is one, else the CPU.
pub fn auto() -> Device {
    match candle_core::utils::cuda_is_available() {
        true => cuda(0).unwrap_or(Device::Cpu),
        false => Device::Cpu,
    }
}

/// Opens a CUDA device by its number; the error says why it cannot be used.
pub fn cuda(number: usize) -> Result<Device, String> {
    Device::new_cuda(number).map_err(|error| error.to_string().lines().next().unwrap_or("unknown reason").to_owned())
}

/// Returns the name that a config has for the device: `cpu`, `cuda:0`.
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}
