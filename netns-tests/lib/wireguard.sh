# shellcheck shell=bash
# Plain WireGuard in stories: an interface wg0 on a host, made by tund or by
# wireguard-go and set up with wg, as a user would.

declare -A WG_PRIVATE=() # name -> private key
declare -A WG_PUBLIC=()  # name -> public key
declare -A WG_FOUR=()    # name -> IPv4 address inside
declare -A WG_SIX=()     # name -> IPv6 address inside

# wg_identity NAME N: keys, and the addresses 10.9.0.N and fd09::N.
wg_identity() {
    WG_PRIVATE[$1]=$(wg genkey)
    WG_PUBLIC[$1]=$(wg pubkey <<<"${WG_PRIVATE[$1]}")
    WG_FOUR[$1]=10.9.0.$2
    WG_SIX[$1]=fd09::$2
}

# wg_up HOST tund|wireguard-go [option...]: makes wg0, with the host's addresses, and brings it up.
wg_up() {
    local host=$1 program=$2
    shift 2
    [[ $program == wireguard-go ]] || program=$TUND
    lab_spawn "wg-$host" "$host" env LOG_LEVEL=debug "$program" -f "$@" wg0
    wait_until 5 lab_exec "$host" test -S /run/wireguard/wg0.sock ||
        lab_die "wg0 does not come up on $host"
    lab_ip "$host" <<IP
addr add ${WG_FOUR[$host]}/24 dev wg0
addr add ${WG_SIX[$host]}/64 dev wg0 nodad
link set wg0 mtu 1420 up
IP
}

# wg_down HOST: ends the program; it must end well and take everything along.
wg_down() {
    assert "the daemon on $1 ends well" lab_stop "wg-$1"
    assert_fails "and its interface is gone" lab_exec "$1" ip link show wg0
}

# wg_conf HOST PEER [line...]: prints a configuration for wg; lines are added to the peer's part.
wg_conf() {
    local host=$1 peer=$2
    shift 2
    cat <<CONF
[Interface]
PrivateKey = ${WG_PRIVATE[$host]}
ListenPort = 51820
[Peer]
PublicKey = ${WG_PUBLIC[$peer]}
AllowedIPs = ${WG_FOUR[$peer]}/32, ${WG_SIX[$peer]}/128
CONF
    printf '%s\n' "$@"
}

# wg_setconf HOST PEER [line...]
wg_setconf() {
    wg_conf "$@" >"$LAB_DIR/$1.conf"
    lab_exec "$1" wg setconf wg0 "$LAB_DIR/$1.conf"
}

# wg_show HOST WHAT: the second column of `wg show wg0 WHAT` (one peer).
wg_show() {
    lab_exec "$1" wg show wg0 "$2" | cut -f 2-
}

wg_ping() { # HOST TO [option...]
    local host=$1 to=$2
    shift 2
    lab_exec "$host" ping -q -c 3 -i 0.1 -W 2 "$@" "$to"
}

# wg_mbit FROM TO [iperf3 option...]: sets MBIT to the TCP (or other) throughput inside, Mbit/s.
wg_mbit() {
    local from=$1 to=$2
    shift 2
    rm -f "$LAB_DIR/log/iperf-$to.log"
    lab_spawn "iperf-$to" "$to" iperf3 --server --one-off --forceflush
    wait_until 5 lab_log_has "iperf-$to" listening
    MBIT=$(lab_exec "$from" iperf3 --json --client "${WG_FOUR[$to]}" "$@" |
        jq '.end.sum_received.bits_per_second / 1e6 | round')
    wait "${LAB_PID[iperf-$to]}"
}
