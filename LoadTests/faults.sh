#!/usr/bin/env bash
# The fault campaign on every set-up, each in a network namespace of its own: some drop packets between addresses.
#
#   faults.sh BIN COUNT [SET-UP ...]     BIN: folder of the executables; COUNT: faults for each set-up; all of them without
#                                        names, partitions five times each
#
# SEED=n for the plans of earlier campaigns. The status is 1 if a promise was broken on any of them.
set -uo pipefail
bin=$1 count=$2
shift 2
[ $# -gt 0 ] || set -- alone sentinel cluster loss clocks partition safe-partition
namespace=(unshare --net)
[ "$(id -u)" -eq 0 ] || namespace=(unshare --user --map-root-user --net)
status=0
for set_up; do
  faults=$count
  case $set_up in *partition) faults=5 ;; esac
  echo "== $set_up" >&2
  "${namespace[@]}" bash -c 'ip link set lo up && exec "$@"' faults \
    nice "$bin/fault-campaign" --set-up "$set_up" --faults "$faults" ${SEED:+--seed "$SEED"} || status=1
done
exit $status
