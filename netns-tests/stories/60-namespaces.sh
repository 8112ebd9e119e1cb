#!/bin/bash
# Several daemons on one machine, each with its own state, in different network namespaces; and an
# interface that is moved away from the sockets it talks through.
#
#                 coord
#                   |
#        ---------inet---------
#        |                    |    20 ms
#      lan-r (port-restricted)  far-r (port-restricted)
#      |      |               |
#     box    pod             far
#
# box and pod are one machine: box is its own network, pod another network namespace on it. They
# share files, /run and the processes. far and box have two instances each, of two networks.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home lan port-restricted hosts=box,pod
lab_home far port-restricted

# in_pod COMMAND...: on the machine box, in pod's network.
in_pod() {
    nsenter --target "$(</run/lab/box)" --mount --uts -- \
        nsenter --net="/proc/$(</run/lab/pod)/ns/net" -- "$@"
}
in_box() { lab_exec box "$@"; }

require "far makes a network" tundctl far create home --coordinator "$COORD_URL" --name far
overlay_learn far
require "and another one, by a second instance" \
    tundctl far create guests --coordinator "$COORD_URL" --name host --state /var/lib/tund-guests
invite() { tundctl far invite --name "$1" "${@:2}" 2>/dev/null; }

# --- three instances ---
first=$(invite first) second=$(invite second --state /var/lib/tund-guests) third=$(invite third)
assert "the first instance" in_box "$TUNDCTL" join --state /var/lib/tund/first - <<<"$first"
assert "a second beside it, which finds a name for its interface" \
    in_box "$TUNDCTL" join --state /var/lib/tund/second - <<<"$second"
assert "a third in another network namespace" \
    in_pod "$TUNDCTL" join --state /var/lib/tund/third --ifname tundpod - <<<"$third"
instance() { in_box "$TUNDCTL" status --state "/var/lib/tund/$1" --json | jq -r "$2"; }
assert_eq "each is itself" "$(instance first .self.name) $(instance second .self.name) $(instance third .self.name)" \
    "first second third"
assert_eq "with its own interface" \
    "$(instance first .self.ifname) $(instance second .self.ifname) $(instance third .self.ifname)" "tund0 tund1 tundpod"
assert "the third's interface is in the other namespace" in_pod ip link show tundpod
assert_fails "and not in the machine's own" in_box ip link show tundpod
answers_far() { "$1" ping -c 1 -W 3 -I "$2" "${OVERLAY_IP[far]}"; }
assert "far answers the first" answers_far in_box tund0
assert "far's other instance answers the second" in_box "$TUNDCTL" ping --state /var/lib/tund/second -c 1 host
assert_match "which is of another network" "$(instance second .self.network)" guests
assert "far answers the third" answers_far in_pod tundpod
is_direct() { [[ $(instance "$1" '.peers[] | select(.name == "far" or .name == "host") | .path') == direct ]]; }
for name in first second third; do
    assert_soon "$name is direct" 5 is_direct "$name"
done
assert_match "a state that runs already is not run twice" \
    "$(in_pod "$TUND" -f --state /var/lib/tund/first tundx 2>&1 || :)" '(in use|runs|another)'

# --- the interface moves, the sockets stay ---
address=$(instance first '.self.addresses[0]')
prefix=$(instance first '.self.prefixes[0]')
in_box ip link set dev tund0 netns "/proc/$(</run/lab/pod)/ns/net"
in_pod ip address add "$address/${prefix#*/}" dev tund0
in_pod ip link set dev tund0 up
assert "the interface is in the other namespace now" in_pod ip link show tund0
assert "far answers from there, through the sockets that stayed" answers_far in_pod tund0
assert_fails "the sockets are not there" in_pod sh -c "ss -Hlnu sport = :$(instance first .self.port) | grep -q ."
assert "but here" in_box sh -c "ss -Hlnu sport = :$(instance first .self.port) | grep -q ."
assert "the plug of the other namespace is pulled" in_pod ip link set dev eth0 down
assert "far answers all the same" answers_far in_pod tund0
in_pod ip link set dev eth0 up
in_pod ip route add default via 192.168.1.1

# --- each ends for itself ---
assert "the second goes down" in_box "$TUNDCTL" down --state /var/lib/tund/second
assert "the first goes on" answers_far in_pod tund0
assert_fails "the second's interface is gone" in_box ip link show tund1
assert "the first goes down" in_box "$TUNDCTL" down --state /var/lib/tund/first
assert_fails "and its interface, wherever it was" in_pod ip link show tund0
assert "the third goes on" answers_far in_pod tundpod
