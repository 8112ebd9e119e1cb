#!/bin/bash
# tundctl explain says what was tried, what came back, what the two NATs are, and what would help.
#
#        coord (55.1.0.10 and 55.1.0.11)
#          |
#        inet
#        |   |   |        20 ms links
#       pr  sa  sb        port-restricted, symmetric, symmetric
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
lab_home pr port-restricted
lab_home sa symmetric
lab_home sb symmetric
overlay_members pr sa sb
overlay_up pr sa sb

explain() { tundctl "$1" explain "$2" --json | jq -r "$3"; }
is() { [[ $(explain "$1" "$2" "$3") == "$4" ]]; }

overlay_ping pr sa >/dev/null
overlay_ping sa sb >/dev/null
assert_soon "pr knows what sa's NAT does, from sa" 15 is pr sa .nats.peer.mapping address-and-port-dependent
assert_soon "and its own" 15 is pr sa .nats.own.mapping endpoint-independent
assert_soon "two symmetric ones: they stay on the relay" 15 is sa sb .nats.pair relay
silent() { tundctl "$1" explain "$2" --json | jq -e '.candidates | map(select(.origin == "reflexive" and .verdict == "silent")) | length > 0'; }
assert_soon "the other's outside address stays silent" 20 silent sa sb
said=$(tundctl sa explain sb)
assert_match "it says why" "$said" 'through the relay, because both NATs give each peer another port'
assert_match "what each NAT does" "$said" 'here: mapping address-and-port-dependent.*sb: mapping address-and-port-dependent'
assert_match "what would help" "$said" 'To make it better:.*map a port'
assert_match "what was tried and what came back" "$said" 'tried:     [0-9]+ packets were sent.*came back: nothing came back'
assert_eq "the JSON has its version" "$(explain sa sb .version)" 1
