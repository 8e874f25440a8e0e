//! Where a tensor lives. The only file that names Candle's CPU device.

pub use candle_core::Device;

/// Returns the CPU.
pub fn cpu() -> Device {
    Device::Cpu
}
