#!/bin/sh
# The tables of docs/benchmarks.md, on standard output; what is going on, on standard error.
#
#     TORCH=python TENSORFLOW=python [ROUNDS=5] [SECONDS_EACH=0.6] [THREADS=1,2] [WORKLOADS=F,D] [MEMORY=B,C8] \
#         [MODES=fused,xla] [PROGRAM=target/…/training-…] benches/peers/table.sh
#
# TORCH and TENSORFLOW are interpreters with these installed. Without PROGRAM, the benchmark is built first.
set -eu
: "${TORCH:?an interpreter with torch}" "${TENSORFLOW:?an interpreter with tensorflow}"
cd "$(dirname "$0")/../.."
if [ -z "${PROGRAM:-}" ]; then
    echo "building benches/training.rs" >&2
    # The path comes from cargo: older builds may lie beside this one. Optimised, whatever a configuration around says.
    PROGRAM=$(CARGO_PROFILE_RELEASE_OPT_LEVEL=3 cargo build --release --bench training --message-format=json |
        sed -n 's/.*"name":"training".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
fi
[ -x "$PROGRAM" ] || { echo "no program at \`$PROGRAM\`" >&2; exit 1; }
PROGRAM=$(realpath "$PROGRAM")
cd benches/peers

# barrage first, then every mode that is wanted.
set -- "barrage=$PROGRAM"
for mode in $(echo "${MODES:-eager,fused,compile,graph,xla}" | tr , ' '); do
    case $mode in
        eager | fused | compile) set -- "$@" "$mode=$TORCH pytorch_steps.py $mode" ;;
        graph | xla) set -- "$@" "$mode=$TENSORFLOW tensorflow_steps.py $mode" ;;
        *) echo "no mode \`$mode\`: eager, fused, compile, graph, xla" >&2; exit 1 ;;
    esac
done
exec python3 compare.py --threads "${THREADS-1,2}" --rounds "${ROUNDS:-5}" --seconds "${SECONDS_EACH:-0.6}" \
    --workloads "${WORKLOADS:-F,A32,A128,B,C8,D,E}" --memory "${MEMORY-B,C8}" "$@"
