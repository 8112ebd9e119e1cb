# shellcheck shell=bash
# The overlay on the lab: tund-coord on host coord, members on other hosts. A story
# sources this after lab.sh. A member is called as its host, and its interface is tund0.
#
#   overlay_coord                       the coordinator runs; COORD_URL
#   overlay_members nas laptop          the first one makes the network, the others join;
#                                       no daemon runs when this returns
#   overlay_up nas; overlay_up laptop   their daemons run and are connected
#   overlay_ping laptop nas             the first packet asks for a path
#   wait_until 5 overlay_is laptop nas direct

OVERLAY_STATE=/var/lib/tund # every host has a /var/lib of its own

declare -A OVERLAY_IP=()  # member -> its IPv4 address in the overlay
declare -A OVERLAY_IP6=() # member -> its IPv6 address in the overlay

# overlay_coord [OPTION...]: starts (or restarts) the coordinator. --listen may be among
# the options; it is COORD_IP otherwise. Its state stays from one start to the next.
overlay_coord() {
    local log=$LAB_DIR/log/coordinator.log listen=(--listen "$COORD_IP")
    [[ " $* " != *" --listen "* ]] || listen=()
    if [[ -s $log ]]; then
        mv "$log" "${log%.log}-$(ms_now).log"
    fi
    lab_spawn coordinator coord "$TUND_COORD" run --state "$LAB_DIR/coordinator" \
        "${listen[@]}" --log-level "${OVERLAY_LOG:-debug}" "$@"
    wait_until 5 lab_log_has coordinator '^coordinator tund://' ||
        lab_die "the coordinator does not start: $(tail -n 3 "$log")"
    COORD_URL=$(sed -n 's/^coordinator //p' "$log")
}

# overlay_coord_status FILTER: a jq filter over what the coordinator says of itself.
overlay_coord_status() {
    lab_exec coord "$TUND_COORD" status --state "$LAB_DIR/coordinator" --json | jq -r "$1"
}

# tundctl HOST ARGUMENT...
tundctl() {
    local host=$1
    shift
    lab_exec "$host" "$TUNDCTL" "$@"
}

# overlay_members FOUNDER HOST...: a network "home" of all these hosts. They are down
# afterwards, so that a story chooses when each daemon begins.
overlay_members() {
    local founder=$1 host invite=$LAB_DIR/invite
    shift
    tundctl "$founder" create home --coordinator "$COORD_URL" --name "$founder" >"$LAB_DIR/log/create.log" 2>&1 ||
        lab_die "create on $founder: $(<"$LAB_DIR/log/create.log")"
    for host; do
        tundctl "$founder" invite --name "$host" >"$invite" 2>"$LAB_DIR/log/invite.log"
        tundctl "$host" join - <"$invite" >"$LAB_DIR/log/join.log" 2>&1 ||
            lab_die "join on $host: $(<"$LAB_DIR/log/join.log")"
    done
    for host in "$founder" "$@"; do
        overlay_learn "$host"
        tundctl "$host" down >/dev/null
    done
}

# overlay_homes KIND HOST...: the internet, a coordinator, and for each host a home behind a router of
# that kind; the hosts are members, as overlay_members leaves them.
overlay_homes() {
    local kind=$1 host
    shift
    lab_internet
    overlay_coord
    for host; do
        lab_home "$host" "$kind"
    done
    overlay_members "$@"
}

# Reads a running member's addresses into OVERLAY_IP and OVERLAY_IP6.
overlay_learn() {
    local addresses
    mapfile -t addresses < <(overlay_status "$1" '.self.addresses[]')
    OVERLAY_IP[$1]=${addresses[0]}
    OVERLAY_IP6[$1]=${addresses[1]}
}

# overlay_start HOST [OPTION...]: the member's daemon, in the foreground of a background
# process called tund-HOST, so that its log is kept. Returns when it is up.
overlay_start() {
    local host=$1 before
    shift
    touch "$LAB_DIR/log/tund-$host.log"
    before=$(overlay_starts "$host")
    lab_spawn "tund-$host" "$host" "$TUND" -f --state "$OVERLAY_STATE" \
        --log-level "${OVERLAY_LOG:-debug}" "$@" tund0
    wait_until 10 overlay_started_since "$host" "$before" ||
        lab_die "tund on $host does not start: $(tail -n 3 "$LAB_DIR/log/tund-$host.log")"
}
overlay_starts() { grep -c 'tund0 is up' "$LAB_DIR/log/tund-$1.log" || :; }
overlay_started_since() { (($(overlay_starts "$1") > $2)); }

# overlay_up HOST...: starts them and waits until each is connected to the coordinator.
overlay_up() {
    local host
    for host; do
        overlay_start "$host"
    done
    for host; do
        wait_until 10 overlay_connected "$host" || lab_die "$host does not connect to the coordinator"
    done
}

# overlay_down HOST...
overlay_down() {
    local host
    for host; do
        lab_stop "tund-$host" || diag "tund on $host ends with status $?"
    done
}

# overlay_status HOST FILTER: a jq filter over `tundctl status --json`.
overlay_status() {
    tundctl "$1" status --json | jq -r "$2"
}
# The coordinator has answered and knows that this member is there; before, others that ask for
# it are told that it is not.
overlay_connected() { [[ $(overlay_status "$1" '.coordinator | .connected and .state == "joined"') == true ]]; }
overlay_disconnected() { [[ $(overlay_status "$1" .coordinator.connected) == false ]]; }

# overlay_peer HOST PEER FILTER: the same over what HOST says of PEER.
overlay_peer() {
    tundctl "$1" status --json | jq -r --arg peer "$2" ".peers[] | select(.name == \$peer) | $3"
}
overlay_knows() { [[ $(overlay_peer "$1" "$2" .name) == "$2" ]]; }

# overlay_is HOST PEER direct|member|relay|none: is this the path now?
overlay_is() { [[ $(overlay_peer "$1" "$2" .path) == "$3" ]]; }
overlay_is_not() { ! overlay_is "$@"; }

# overlay_ping HOST PEER [ARGUMENT...]: the system's ping through the tunnel, once.
overlay_ping() {
    local host=$1 peer=$2
    shift 2
    lab_exec "$host" ping -c 1 -W 5 "$@" "${OVERLAY_IP[$peer]}"
}

# overlay_ping_ms HOST PEER: how long that took; fails without an answer.
overlay_ping_ms() {
    local said
    said=$(overlay_ping "$@")
    sed -n 's/.*time=\([0-9.]*\) ms$/\1/p' <<<"$said"
}

# overlay_rtt_ms HOST: the round trip to the coordinator, measured without tund.
overlay_rtt_ms() {
    lab_exec "$1" ping -c 3 -i 0.02 -q "$COORD_IP" | sed -n 's#^rtt [^=]*= [0-9.]*/\([0-9.]*\)/.*#\1#p'
}

# overlay_pids HOST: the pids of the tund daemons in the host's network.
overlay_pids() {
    local there pid
    there=$(readlink "/proc/$(<"/run/lab/$1")/ns/net")
    for pid in /proc/[0-9]*; do
        if [[ $(readlink "$pid/exe") == "$TUND" && $(readlink "$pid/ns/net") == "$there" ]]; then
            echo "${pid#/proc/}"
        fi
    done
}
overlay_has_no_daemon() { [[ ! $(overlay_pids "$1") ]]; }
