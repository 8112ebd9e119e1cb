#!/bin/bash
# A link that is paid for by the byte: nothing is sent on it that nobody has asked for, and all works when somebody does.
#
#                 coord
#                   |
#        ----------inet----------
#        |        (20 ms)       |
#       a-r                    b-r    (port-restricted, symmetric)
#        |                      |
#   eth0 a (metered)            b
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

QUIET=45 # seconds: two heartbeats and more

overlay_homes port-restricted a b
overlay_up a b

metered_is() { [[ $(overlay_status a .self.metered) == "$1" ]]; }
direct_again() {
    lab_exec a ping -q -c 40 -i 0.05 -W 2 "${OVERLAY_IP[b]}" >/dev/null || diag "pings were lost"
    wait_until 5 overlay_is a b direct
}
# What both have sent to each other's addresses, probes and data.
sent() {
    local a b
    a=$(tundctl a explain b --json | jq '[.candidates[].out_packets] | add')
    b=$(tundctl b explain a --json | jq '[.candidates[].out_packets] | add')
    echo $((a + b))
}
b_knows() { [[ $(tundctl b explain a --json | jq .nats.peer.metered) == true ]]; }
settled() {
    local before
    before=$(sent)
    sleep 3 # long enough for an answer and what follows it
    [[ $(sent) == "$before" ]]
}
quiet() {
    local before
    before=$(sent)
    sleep "$QUIET" # the silence itself
    echo $(($(sent) - before))
}

assert "a is direct to b" direct_again
assert "its link is not metered" metered_is null
control=$(quiet)
diag "in $QUIET s without data both send $control packets to each other"
assert "an idle path has heartbeats" test "$control" -ge 2

overlay_down a
overlay_start a --metered=usb0
assert_soon "another link is metered" 10 overlay_connected a
assert "so this one is not" metered_is null
overlay_down a
overlay_start a --metered=usb0,eth0
assert_soon "eth0 is metered, as a was told" 10 metered_is eth0
assert_match "status names it" "$(tundctl a status)" "metered +eth0"
assert "a is direct to b" direct_again
assert_soon "b is told, and explain says that it spares bytes" 10 \
    b_knows
assert_soon "the last answers come in" 20 settled
assert_eq "no packet goes between the two while nobody has data" "$(quiet)" 0
assert_match "pings pass at once, by whatever way" "$(lab_exec b ping -q -c 20 -i 0.05 -W 2 "${OVERLAY_IP[a]}")" ' 0% packet loss'
assert_soon "and the path is direct again" 5 overlay_is b a direct

overlay_down a
assert_status "a list with a gap is refused" 2 lab_exec a "$TUND" -f --metered=eth0, --state "$OVERLAY_STATE" tund0
