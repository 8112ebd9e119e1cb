#!/bin/bash
# An invite makes one member, once, in time, unaltered, in its own network; what is refused
# is refused with a sentence that says which.
#
#        coord (two coordinators: "home" on 55.1.0.10, "other" on 55.1.0.11)
#          |
#        inet
#          |
#        lan-r (public)
#          |
#        nas, theirs (the founders), h1 ... h8
#
# This waits for an invite to expire, which takes a minute at least.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord --max-networks 1
lab_home lan public delay=5 hosts=nas,theirs,h1,h2,h3,h4,h5,h6,h7,h8
lab_spawn other coord "$TUND_COORD" run --state "$LAB_DIR/other" --listen "$COORD_IP_2"
wait_until 5 lab_log_has other '^coordinator '
require "nas makes a network" tundctl nas create home --coordinator "$COORD_URL" --name nas
require "somebody else makes one elsewhere" tundctl theirs create away --name theirs \
    --coordinator "$(sed -n 's/^coordinator //p' "$LAB_DIR/log/other.log")"

invite() { tundctl "${2:-nas}" invite --name "$1" "${@:3}" 2>/dev/null; }
join() { tundctl "$1" join - <<<"$2"; }
members() { overlay_coord_status .store.members; }
# refused HOST INVITE REGEX SENTENCE
refused() {
    local status=0 said
    said=$(join "$1" "$2" 2>&1) || status=$?
    if ((status == 0 || status >= 126)); then
        not_ok "$4" "status $status" "$said"
    else
        assert_match "$4" "$said" "$3"
    fi
    assert_soon "and $1 is left without a daemon" 3 overlay_has_no_daemon "$1"
}

short_lived=$(invite late nas --expires 1m)
expires_ms=$(($(ms_now) + 61000))

# --- used twice ---
first=$(invite first)
assert "an invite makes a member" join h1 "$first"
refused h2 "$first" 'used' "used twice: says that it was used"
assert_match "used again by its own machine: says that it is a member already" \
    "$(join h1 "$first" 2>&1 || :)" 'first of network home already'
assert_eq "so the network has two members" "$(members)" 2

# --- two at once ---
twice=$(invite racer)
for host in h2 h3; do
    lab_spawn "race-$host" "$host" sh -c 'printf "%s\n" "$1" | "$2" join -' sh "$twice" "$TUNDCTL"
done
won=0
for host in h2 h3; do
    status=0
    wait "${LAB_PID[race-$host]}" || status=$?
    if ((status == 0)); then
        won=$((won + 1)) winner=$host
    else
        loser=$host
    fi
done
require "two at once: exactly one gets in" test "$won" = 1
assert_match "the other is told that it was used" "$(<"$LAB_DIR/log/race-$loser.log")" 'used'
assert_eq "so the network has three members" "$(members)" 3

# --- a refused machine is not spoiled ---
assert "the loser gets in with an invite of its own" join "$loser" "$(invite second)"
assert_eq "and is the fourth" "$(members)" 4

# --- the same name twice ---
twin_a=$(invite twin) twin_b=$(invite twin)
assert "of two invites for one name the first is good" join h4 "$twin_a"
refused h5 "$twin_b" 'taken|another name' "the second is told that the name is taken"

# --- altered ---
# Bytes of the invite's inside (docs/PROTOCOL.md 3.3): the coordinator's key is at 0, its
# port at 32, its name at 35; the certificate begins behind that.
good=$(invite altered)
inside() {
    local text=${1#tund-invite-1.}
    while ((${#text} % 4)); do text+='='; done
    tr '_-' '/+' <<<"$text" | base64 -d | od -An -v -tx1 | tr -d ' \n'
}
outside() { echo "tund-invite-1.$(raw "$1" | base64 -w 0 | tr '/+' '_-' | tr -d =)"; }
raw() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
# The check at the end made right again, as a forger would.
checked() {
    local body=${1:0:${#1}-8} sum
    sum=$(raw "$body" | openssl dgst -blake2s256 -binary | od -An -v -tx1 -N4 | tr -d ' \n')
    outside "$body$sum"
}
# hex with bit 0 of byte N flipped
flip() {
    local at=$(($2 * 2)) byte
    byte=$(printf '%02x' $((0x${1:at:2} ^ 1)))
    echo "${1:0:at}$byte${1:at+2}"
}
hex=$(inside "$good")
bytes=$((${#hex} / 2))
certificate=$((35 + ${#COORD_IP}))
assert_eq "the story reads and writes invites as they are" "$(checked "$hex")" "$good"
refused h5 "$(outside "$(flip "$hex" 40)")" 'damaged' "a flipped bit: says that it is damaged"
refused h5 "${good:0:100}" 'damaged' "half of it: says the same"
refused h5 "${good%??}AA" 'damaged' "another end: says the same"
altered='altered|does not verify'
refused h5 "$(checked "$(flip "$hex" $((certificate + 2)))")" "$altered" \
    "altered with a right check: the network's key"
refused h5 "$(checked "$(flip "$hex" $((certificate + 34)))")" "$altered" "the invite's number"
refused h5 "$(checked "$(flip "$hex" $((certificate + 50)))")" "$altered" "its one-time key"
refused h5 "$(checked "$(flip "$hex" $((certificate + 89)))")" "$altered" "its end"
refused h5 "$(checked "$(flip "$hex" $((certificate + 93)))")" "$altered" "the member's IPv4 address"
refused h5 "$(checked "$(flip "$hex" $((certificate + 110)))")" "$altered" "its IPv6 address"
refused h5 "$(checked "$(flip "$hex" $((certificate + 113)))")" "$altered" "its name"
refused h5 "$(checked "$(flip "$hex" $((bytes - 60)))")" "$altered" "the signature"
refused h5 "$(checked "$(flip "$hex" $((bytes - 10)))")" "$altered" "the one-time secret"

# --- garbage ---
refused h5 "" 'no invite' "nothing at all: says that it is no invite"
refused h5 "hello" 'no invite' "garbage: the same"
refused h5 "tund-invite-1." 'damaged' "only its beginning: damaged"
refused h5 "tund-invite-1.$(head -c 5000 /dev/urandom | base64 -w 0)" 'damaged' "a long one: damaged"
refused h5 "$COORD_URL" 'no invite' "the coordinator's address: no invite"
assert_match "a file that is not there" "$(tundctl h5 join /nonexistent 2>&1 || :)" 'No such file'

# --- another network ---
foreign=$(invite guest theirs)
assert_match "a machine that is a member already: says of which network" \
    "$(join h1 "$foreign" 2>&1 || :)" 'first of network home already'
# the same invite, pointed at our coordinator with a right check
foreign_hex=$(inside "$foreign")
foreign_body=${foreign_hex:$(((35 + ${#COORD_IP_2}) * 2))}
refused h5 "$(checked "${hex:0:certificate * 2}$foreign_body")" 'network' \
    "an invite for another network at our coordinator: says so"
assert "at its own coordinator it is good" join h5 "$foreign"

# --- a second try ---
# While the coordinator is away a join fails; the same command works when it is back.
assert_eq "good as ever, the unaltered one makes the sixth member" \
    "$(join h6 "$good" >/dev/null && members)" 6
patient=$(invite patient)
lab_stop coordinator || diag "the coordinator ends with status $?"
lab_spawn away h7 sh -c 'printf "%s\n" "$1" | "$2" join -' sh "$patient" "$TUNDCTL"
assert_soon "without a coordinator join ends" 25 lab_gone away
assert_match "without a coordinator join says so" "$(<"$LAB_DIR/log/away.log")" 'coordinator unreachable'
assert_soon "and leaves no daemon" 3 overlay_has_no_daemon h7
overlay_coord --max-networks 1
assert "the same invite is good when the coordinator is back" join h7 "$patient"
assert_eq "and its machine is the seventh member" "$(members)" 7

# --- expired ---
expired() { (($(ms_now) > expires_ms)); }
wait_until 70 expired
refused h8 "$short_lived" 'expired' "a minute later the short-lived one: says that it has expired"
assert_eq "after all of this the network has seven members" "$(members)" 7
