#!/bin/bash
# What can go wrong in the first hour is told in a sentence that says what to do, and
# changes nothing.
#
#        coord (55.1.0.10 only; nothing on 55.1.0.11)
#          |
#        inet
#          | 20 ms
#        home-r (port-restricted)
#          |
#        nas (a member), h1, h2, h3 (not yet)
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
export PATH=$LAB_BIN/tund:$PATH

lab_internet
overlay_coord
lab_home home port-restricted hosts=nas,h1,h2,h3
lab_exec nas tundctl create home --coordinator "$COORD_URL" --name nas >"$LAB_DIR/log/create.log"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
chmod 711 "$LAB_DIR" # for nobody

# refused SENTENCE REGEX HOST COMMAND...: fails, saying something like that.
refused() {
    local sentence=$1 regex=$2 host=$3 status=0 said
    shift 3
    said=$(lab_exec "$host" "$@" 2>&1 </dev/null) || status=$?
    if ((status == 0 || status >= 126)); then
        not_ok "$sentence" "status $status" "$said"
    else
        assert_match "$sentence" "$said" "$regex"
    fi
}

# --- the slow ones begin now: each waits 15 s for a coordinator ---
other_key=$(head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =)
lab_spawn mismatch h1 tundctl create home --coordinator "tund://$COORD_IP:3478/$other_key" --name h1
lab_spawn unreachable h2 tundctl create home --coordinator "tund://$COORD_IP_2:3478/$other_key" --name h2
lab_spawn nameless h3 tundctl create home --coordinator "tund://no-such-host.invalid:3478/$other_key" --name h3

# --- rights and the machine ---
refused "create, not as root: says to use sudo" '(sudo|root)' nas \
    "${nobody[@]}" tundctl create home --coordinator "$COORD_URL" --name nas --state /var/lib/mine
refused "status, not as root, of root's instance: says to use sudo" '(sudo|root)' nas "${nobody[@]}" tundctl status
refused "tund, not as root: says so" '(sudo|root)' nas "${nobody[@]}" tund -f wg0
refused "no /dev/net/tun: says what to load" 'modprobe tun' nas \
    unshare --mount --propagation private sh -c 'mount -t tmpfs none /dev/net && exec tund -f wg0'

# --- ports, names, prefixes, states ---
port=$(overlay_status nas .self.port)
refused "a UDP port that is in use" "port $port.*(in use|another)|(in use|another).*port" nas \
    tundctl create other --coordinator "$COORD_URL" --name nas --state /var/lib/other --port "$port"
refused "an interface that is there already" 'tund0' nas \
    tundctl create other --coordinator "$COORD_URL" --name nas --state /var/lib/other --ifname tund0
refused "a prefix that the host has a route to" "192\.168\.1\.0/24" nas \
    tundctl create other --coordinator "$COORD_URL" --name nas --state /var/lib/other --prefix 192.168.0.0/16
refused "a prefix that is not private" '[Pp]rivate|10\.' nas \
    tundctl create other --coordinator "$COORD_URL" --name nas --state /var/lib/other --prefix 8.8.0.0/16
refused "an invite for a name that is a member's" 'nas is a member already' nas tundctl invite --name nas
refused "a name that cannot be one" 'a-z 0-9' nas tundctl invite --name 'My Laptop'
refused "a second create with the same state" 'nas of network home already' nas \
    tundctl create home --coordinator "$COORD_URL" --name nas
refused "a coordinator that is no address" 'tund://HOST:PORT/KEY' nas \
    tundctl create other --coordinator "coord.example.net" --name nas --state /var/lib/other
refused "status where nobody is a member" '(create|join)' nas tundctl status --state /var/lib/nothing
refused "a verb that is none" 'tundctl --help' nas tundctl frobnicate
refused "an option that is none" 'unknown option --frobnicate' nas tundctl status --frobnicate
refused "ping to somebody unknown" 'no member nobody' nas tundctl ping -c 1 nobody

# --- the coordinator ---
refused "tund-coord on a port that is in use" '(3478|3479)' coord \
    tund-coord run --state /var/lib/second --listen "$COORD_IP"
refused "tund-coord with a state that is in use" '(in use|runs|another)' coord \
    tund-coord run --state "$LAB_DIR/coordinator" --listen "$COORD_IP:4000"
refused "tund-coord on an address of another machine" '55\.9\.9\.9' coord \
    tund-coord run --state /var/lib/third --listen 55.9.9.9
refused "tund-coord without --listen" 'listen' coord tund-coord run

# --- the slow ones end ---
# ended NAME REGEX SENTENCE
ended() {
    local status=0
    wait_until 25 lab_gone "$1" || :
    wait "${LAB_PID[$1]}" || status=$?
    assert_eq "$3: fails" "$status" 1
    assert_match "and says so" "$(<"$LAB_DIR/log/$1.log")" "$2"
}
ended mismatch 'key mismatch' "a coordinator with another key than in the address"
ended unreachable "unreachable.*$COORD_IP_2" "a coordinator that is not there"
ended nameless 'no-such-host\.invalid cannot be looked up' "a coordinator whose name does not exist"
for host in h1 h2 h3; do
    assert_soon "no daemon is left on $host" 3 overlay_has_no_daemon "$host"
done
assert "and the same machine, with the right address, gets in" \
    lab_exec h1 tundctl create home --coordinator "$COORD_URL" --name h1
assert_eq "on nas runs one daemon, all the time" "$(overlay_pids nas | wc -l)" 1
assert_eq "as the only member of its network" "$(overlay_status nas '.coordinator.connected, (.peers | length)' | tr '\n' ' ')" "true 0 "
