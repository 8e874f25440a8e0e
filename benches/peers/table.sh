#!/bin/sh
# The table of docs/benchmarks.md: TORCH=python TENSORFLOW=python [ROUNDS=7] [SECONDS_EACH=0.8] [THREADS=1,2] benches/peers/table.sh
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --bench training
program=$(ls -t target/release/deps/training-* | grep -v '\.d$' | head -1)
cd benches/peers
exec python3 compare.py --threads "${THREADS:-1,2}" --rounds "${ROUNDS:-7}" --seconds "${SECONDS_EACH:-0.8}" \
    --workloads "${WORKLOADS:-F,A32,A128,B,C8,D,E}" --memory B,C8 \
    "barrage=../../$program" \
    "eager=$TORCH pytorch_steps.py eager" "fused=$TORCH pytorch_steps.py fused" "compile=$TORCH pytorch_steps.py compile" \
    "graph=$TENSORFLOW tensorflow_steps.py graph" "xla=$TENSORFLOW tensorflow_steps.py xla"
