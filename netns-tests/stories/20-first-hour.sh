#!/bin/bash
# The README's commands, one after another, by two machines in two homes; and the way back, with
# nothing left behind.
#
#                    coord   tund-coord run
#                      |
#        ------------inet------------
#        |          (20 ms)         |
#      home-r (port-restricted)  cafe-r (port-restricted)
#        |                          |
#       nas                       laptop
#       dropbear, iperf3,         ssh, scp, curl, iperf3
#       httpserve
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
export PATH=$LAB_BIN/tund:$PATH

lab_internet
lab_home home port-restricted hosts=nas
lab_home cafe port-restricted hosts=laptop

# What a machine has of tund's: addresses, routes, rules, sockets, processes.
traces() {
    lab_exec "$1" sh -c '
        ip -o addr | sed "s/^[0-9]*: //; s/ valid_lft.*//" | sort
        for family in -4 -6; do
            ip $family route show table all | sed "s/ expires [0-9]*sec//" | sort
            ip $family rule
        done
        ls /var/run/wireguard 2>/dev/null
        ss -Hlnu | grep -v 546 | awk "{ print \$4 }"
        :'
    overlay_pids "$1"
}
before_nas=$(traces nas) before_laptop=$(traces laptop)
as_before() { [[ $(traces "$1") == "$2" ]]; }

# --- the coordinator ---
lab_spawn coordinator coord tund-coord run --state /var/lib/tund-coord --listen "$COORD_IP"
require "tund-coord run prints the coordinator's address" \
    wait_until 5 lab_log_has coordinator "^coordinator tund://$COORD_IP:3478/[A-Za-z0-9_-]{43}\$"
url=$(sed -n 's/^coordinator //p' "$LAB_DIR/log/coordinator.log")

# --- create, invite, join ---
require "tundctl create" lab_exec nas tundctl create home --coordinator "$url" --name nas
assert_match "it says who the machine is now" "$LAB_OUTPUT" 'nas is a member of network home'
invite=$(lab_exec nas tundctl invite --name laptop 2>"$LAB_DIR/log/invite.log")
assert_match "tundctl invite prints one line" "$invite" '^tund-invite-1\.[A-Za-z0-9_-]+$'
join() { lab_exec laptop tundctl join - <<<"$invite"; }
measure_ms took_ms require "tundctl join - reads it" join
assert_match "and says who the machine is now" "$LAB_OUTPUT" 'laptop is a member of network home'
diag "join took $took_ms ms"

# --- status ---
status() { lab_exec laptop tundctl status --json >"$LAB_DIR/status.json"; }
knows_nas() { status && jq -e '.peers[0].name == "nas"' "$LAB_DIR/status.json"; }
assert_soon "status --json tells of nas" 3 knows_nas
says() { assert "status --json: $1" jq -e "$2" "$LAB_DIR/status.json"; }
require "ping nas gets answers" lab_exec laptop tundctl ping -c 3 -i 0.1 nas
assert_match "and tells the path" "$LAB_OUTPUT" '(relay|direct)'
assert "ping --until-direct waits for that" lab_exec laptop tundctl ping --until-direct nas
assert_match "and tells the moment that it became direct" "$LAB_OUTPUT" 'direct.* ms'
status
says "is one object of self, coordinator and peers" 'keys | contains(["coordinator", "peers", "self"])'
says "self.name" '.self.name == "laptop"'
says "self.id is 16 hexadecimal digits" '.self.id | test("^[0-9a-f]{16}$")'
says "self.addresses are an IPv4 and an IPv6 address" \
    '.self.addresses | length == 2 and (.[0] | test("^[0-9]+(\\.[0-9]+){3}$")) and (.[1] | test("^fd[0-9a-f:]+$"))'
says "coordinator.connected" '.coordinator.connected == true'
says "coordinator.endpoint" ".coordinator.endpoint == \"$COORD_IP:3478\""
says "coordinator.rtt_ms is that of a 20 ms link" '.coordinator.rtt_ms | . >= 20 and . < 60'
says "peers has nas and nobody else" '.peers | length == 1 and .[0].name == "nas"'
says "a peer's id is another than mine" '(.peers[0].id | test("^[0-9a-f]{16}$")) and .peers[0].id != .self.id'
says "a peer's addresses are others in my prefix" \
    '.peers[0].addresses as $a | ($a | length == 2) and $a[0] != .self.addresses[0] and $a[1][0:14] == .self.addresses[1][0:14]'
says "a peer's path is direct" '.peers[0].path == "direct"'
says "a peer's endpoint is its home's outside address" \
    ".peers[0].endpoint | startswith(\"${LAB_EXTERNAL[home]}:\")"
says "a peer's rtt_ms is that of two 20 ms links" '.peers[0].rtt_ms | . >= 40 and . < 100'
says "a peer's tx_bytes and rx_bytes are counted" '.peers[0] | .tx_bytes > 1400 and .rx_bytes > 1400'
says "a peer's last_handshake_s" '.peers[0].last_handshake_s | . >= 0 and . < 60'
nas4=$(jq -r '.peers[0].addresses[0]' "$LAB_DIR/status.json")
nas6=$(jq -r '.peers[0].addresses[1]' "$LAB_DIR/status.json")
assert "status for people" lab_exec laptop tundctl status
for word in laptop home "$COORD_IP" nas direct "$nas4"; do
    assert_match "has $word" "$LAB_OUTPUT" "$word"
done

# --- the other reading verbs ---
assert_eq "peers --json is what status has" "$(lab_exec laptop tundctl peers --json | jq -c '[.[] | [.name, .id, .path]]')" \
    "$(jq -c '[.peers[] | [.name, .id, .path]]' "$LAB_DIR/status.json")"
assert_match "peers for people has nas" "$(lab_exec laptop tundctl peers)" "nas"
assert "ping --json is one object a line" \
    sh -c 'set -e; nsenter --target "$1" --net --mount --uts -- tundctl ping -c 2 -i 0.1 --json nas | jq -es "map(.rtt_ms // empty) | length == 2 and all(. > 30)"' sh "$(</run/lab/laptop)"
explain=$(lab_exec laptop tundctl explain nas --json)
assert "explain --json has for each candidate origin, packets out and in, verdict, next try" \
    jq -e '.candidates | length > 0 and all(has("origin") and has("out_packets") and has("in_packets")
        and has("verdict") and has("next_try_s") and has("address"))' <<<"$explain"
assert "the one in use was checked and carried packets both ways" \
    jq -e '[.candidates[] | select(.in_use)] | length == 1
        and (.[0] | .verdict == "checked" and .out_packets > 0 and .in_packets > 0)' <<<"$explain"
assert_match "explain for people says why" "$(lab_exec laptop tundctl explain nas)" 'full-size'
assert_match "version" "$(lab_exec laptop tundctl version)" '[0-9]+\.[0-9]+\.[0-9]+'
assert_match "explain of somebody else is a sentence" "$(lab_exec laptop tundctl explain nobody 2>&1 || :)" 'no member nobody'

# --- real programs ---
assert "ping, IPv4" lab_exec laptop ping -c 1 -W 2 "$nas4"
assert "ping, IPv6" lab_exec laptop ping -c 1 -W 2 "$nas6"
assert "ping in full size, not to be fragmented" lab_exec laptop ping -c 1 -W 2 -M do -s 1372 "$nas4"

lab_exec nas sh -ec 'mount -t tmpfs -o mode=700 home /root
    dropbearkey -t ed25519 -f /run/host_key >/dev/null 2>&1
    mkdir -m 700 /root/.ssh'
ssh-keygen -q -t ed25519 -N '' -f "$LAB_DIR/id"
lab_exec nas cp "$LAB_DIR/id.pub" /root/.ssh/authorized_keys
host_key=$(lab_exec nas dropbearkey -y -f /run/host_key | grep '^ssh-ed25519' | cut -d ' ' -f 1,2)
printf '%s\n' "$nas4 $host_key" "$nas6 $host_key" >"$LAB_DIR/known_hosts"
lab_spawn dropbear nas dropbear -F -E -s -W 1000000 -r /run/host_key -p 22
wait_until 5 lab_listens nas 22
ssh_options=(-F /dev/null -i "$LAB_DIR/id" -o BatchMode=yes -o "UserKnownHostsFile=$LAB_DIR/known_hosts")
assert_eq "ssh" "$(lab_exec laptop ssh "${ssh_options[@]}" "root@$nas4" hostname)" nas
assert_eq "ssh over IPv6" "$(lab_exec laptop ssh "${ssh_options[@]}" "root@$nas6" hostname)" nas
head -c 3000000 /dev/urandom >"$LAB_DIR/file"
assert "scp" lab_exec laptop scp -q -O "${ssh_options[@]}" "$LAB_DIR/file" "root@$nas4:/root/copy"
assert "and the copy is the same" lab_exec nas cmp "$LAB_DIR/file" /root/copy

lab_spawn httpserve nas "$LAB_TOOLS/httpserve" "$LAB_DIR/file"
wait_until 5 lab_log_has httpserve ready
assert_eq "curl" "$(lab_exec laptop curl -s "http://$nas4:8080/" | sha256sum)" "$(sha256sum <"$LAB_DIR/file")"
lab_stop httpserve || :

lab_spawn iperf3 nas iperf3 -s
wait_until 5 lab_listens nas 5201
mbits() { lab_exec laptop iperf3 -J -t 2 -c "$nas4" "$@" | jq '.end.sum_received.bits_per_second / 1e6 | floor'; }
assert_ge "iperf3 to nas, Mbit/s" "$(mbits)" 1
assert_ge "iperf3 from nas, Mbit/s" "$(mbits -R)" 1
lab_stop iperf3 || :

# --- down, up, a restart, leave ---
# The state directory stays, and so does the coordinator.
assert "tundctl down" lab_exec laptop tundctl down
assert_soon "leaves no interface, address, route, socket or process" 3 as_before laptop "$before_laptop"
assert_match "status without a daemon is a sentence that says what to do" \
    "$(lab_exec laptop tundctl status 2>&1 || :)" 'tundctl up'
assert "tundctl up" lab_exec laptop tundctl up
assert_soon "and nas answers again" 5 lab_exec laptop ping -c 1 -W 1 "$nas4"
pid=$(overlay_pids laptop)
kill -s KILL "$pid"
wait_until 5 test ! -e "/proc/$pid"
assert "killed, and up again" lab_exec laptop tundctl up
assert_soon "nas answers again" 5 lab_exec laptop ping -c 1 -W 1 "$nas4"

assert "tundctl leave" lab_exec laptop tundctl leave
assert_soon "leaves no interface, address, route, socket or process" 3 as_before laptop "$before_laptop"
no_peers() { [[ $(lab_exec nas tundctl peers --json | jq length) == 0 ]]; }
assert_soon "nas knows of it" 5 no_peers
assert_match "no key is left on disk" "$(lab_exec laptop ls /var/lib/tund | tr '\n' ' ')" '^(lock[^ ]* |[a-z]*\.lock |stamp[^ ]* )*$'
assert_match "nas is not let go lightly: it holds the network's key" \
    "$(lab_exec nas tundctl leave 2>&1 || :)" '\-\-force'
assert "leave --force" lab_exec nas tundctl leave --force
lab_stop dropbear || :
assert_soon "leaves no interface, address, route, socket or process" 3 as_before nas "$before_nas"
assert_status "the coordinator ends in good order" 0 lab_stop coordinator
