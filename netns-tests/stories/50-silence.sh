#!/bin/bash
# A stranger sends everything to every port: never more bytes come back than it sent, garbage is met
# with silence, and nothing is kept.
#
#        coord (3478, 3479)      stranger
#          |                        |
#        inet ----------------------+
#          |            |
#        a-r (public)  b-r (public)
#          |            |
#        a (overlay)   b (overlay; and a plain WireGuard interface)
#
# All routers are open, so that every datagram arrives. PASSES=N sends all kinds N times.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord --listen "$COORD_IP" --listen "[$COORD_IP6]"
lab_home a public v6=open
lab_home b public v6=open
lab_home stranger public v6=open
overlay_members a b
overlay_up a b
overlay_ping a b >/dev/null
assert_soon "a and b are direct" 3 overlay_is a b direct
lab_spawn wg0 b "$TUND" -f wg0
wait_until 5 lab_log_has wg0 'wg0 is up'
lab_exec b sh -ec 'umask 077; wg genkey >/run/key; wg set wg0 private-key /run/key listen-port 51820'

# stray ADDRESS PORT [ARGUMENT...]: what it found is in STRAY
stray() { STRAY=$("$LAB_TOOLS/stray" --json --wait 80 --from stranger "${@:3}" "$1" "$2"); }
found() { jq -r ".$1" <<<"$STRAY"; }

lab_spawn echo a "$LAB_TOOLS/stray" --serve "${LAB_IP[a]}" 9999
wait_until 5 lab_log_has echo ready
assert_status "stray finds a port that answers with more" 1 stray "${LAB_IP[a]}" 9999
lab_stop echo || :

port_a=$(overlay_status a .self.port) port_b=$(overlay_status b .self.port)
passes=${PASSES:-1}
# judge NAME PROCESS ADDRESS PORT [KIND...]: only these kinds may be answered
judge() {
    local name=$1 process=$2 address=$3 port=$4 before after
    shift 4
    stray "$address" "$port" || : # the first pass may touch memory that was never used
    before=$(lab_rss_kib "$process")
    assert "$name: never more bytes back than sent" stray "$address" "$port" --passes "$passes"
    assert_eq "$name: answered are" "$(found 'answered | join(" ")')" "$*"
    after=$(lab_rss_kib "$process")
    assert_le "$name: KiB that its memory grew by, after $(found sent) datagrams" $((after - before)) 128
}

judge "tund of a" tund-a "${LAB_IP[a]}" "$port_a"
judge "tund of b over IPv6" tund-b "${LAB_IP6[b]}" "$port_b"
judge "plain tund of b" wg0 "${LAB_IP[b]}" 51820
coordinator_answers=(control-initiation stun-request-padded)
judge "tund-coord, first port" coordinator "$COORD_IP" 3478 "${coordinator_answers[@]}"
judge "tund-coord, second port" coordinator "$COORD_IP" 3479 "${coordinator_answers[@]}"
judge "tund-coord over IPv6" coordinator "$COORD_IP6" 3478 "${coordinator_answers[@]}"

assert_eq "the coordinator made no session of all that" "$(overlay_coord_status '.sessions | "\(.members) \(.guests) \(.tentative)"')" "2 0 0"
assert "a and b still talk" overlay_ping a b
assert "directly" overlay_is a b direct
