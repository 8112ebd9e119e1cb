# shellcheck shell=bash
# The lab's front door: every story sources this file first, and from there on
# runs inside a sealed place of its own:
#
#   story.sh (outside)                what the user started; waits, cleans up
#     `- unshare                      new mount, network, PID, host name and IPC namespaces
#          `- story.sh (inside)       PID 1 in there; makes the topology, runs the tests
#               |- wire, coordinator, daemons ...
#
# - /run is private to the story, so the names of its network namespaces cannot
#   clash with another story's, and many stories can run side by side.
# - The story's own network namespace has no interface but lo: nothing that it
#   does can reach the machine's real network.
# - When the inside's PID 1 ends, however that happens, the kernel kills all that
#   it ever started and the namespaces go with them. Nothing can be left behind.
#
# Variables for stories: LAB_DIR (scratch directory, removed at the end), LAB_BIN
# (the build directory), TUND, TUNDCTL, TUND_COORD (paths of the programs).
set -Eeuo pipefail
export LC_ALL=C

LAB_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_BIN=$(realpath -m "${LAB_BIN:-$LAB_LIB/../../build}")
LAB_TOOLS=$LAB_BIN/netns-tests/tools
# shellcheck disable=SC2034 # for stories
TUND=$LAB_BIN/tund/tund TUNDCTL=$LAB_BIN/tund/tundctl TUND_COORD=$LAB_BIN/tund/tund-coord

. "$LAB_LIB/seal.sh"
lab_seal "$@" # returns on the inside only

. "$LAB_LIB/report.sh"
. "$LAB_LIB/process.sh"
. "$LAB_LIB/nat.sh"
. "$LAB_LIB/topology.sh"
. "$LAB_LIB/faults.sh"
lab_begin
