#!/bin/bash
# tund is a drop-in for wireguard-go under wg, wg syncconf and wg-quick, and says what to
# do when it cannot start.
#
#        coord == wg0 of wireguard-go (10.9.0.1)
#          |
#        inet
#          |
#        home-r    (port-restricted)
#          |
#        home == wg0 of tund (10.9.0.2)
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

lab_internet
lab_home home port-restricted delay=1
wg_identity coord 1
wg_identity home 2
wg_up coord wireguard-go
wg_setconf coord home
socket=/run/wireguard/wg0.sock
on_home() { lab_exec home "$@"; }
daemon_pid() { pgrep -f "^$TUND wg0\$"; }
daemon_gone() { ! daemon_pid; }
no_interface() { ! on_home ip link show wg0; }

# In the background: when the command returns, socket and interface are there.
assert_status "tund wg0 returns with 0" 0 on_home "$TUND" wg0
assert "and its socket is there" on_home test -S "$socket"
assert "and its interface" on_home ip link show wg0
assert "and wg sees it" on_home wg show wg0
assert_eq "the socket is root's alone" "$(on_home stat -c '%a %U' "$socket")" "600 root"
assert_eq "the process has closed its terminal" \
    "$(readlink "/proc/$(daemon_pid)/fd/0" "/proc/$(daemon_pid)/fd/2" | sort -u)" /dev/null
assert_status "a second tund wg0 ends with 4" 4 on_home "$TUND" wg0
assert_match "and says why" "$LAB_OUTPUT" "wg0 is in use"
on_home ip link delete wg0
assert_soon "deleting the interface ends the daemon" 5 daemon_gone
assert_fails "and the socket is gone" on_home test -e "$socket"

on_home "$TUND" wg0
on_home rm "$socket"
assert_soon "removing the socket ends the daemon" 5 daemon_gone
assert "and the interface is gone" no_interface

# wg-quick, which makes the interface through the environment variable that wireguard-go uses.
conf=$LAB_DIR/wg0.conf
wg_conf home coord "Endpoint = $COORD_IP:51820" "PersistentKeepalive = 25" |
    sed "/ListenPort/d; /^PrivateKey/a Address = ${WG_FOUR[home]}/24, ${WG_SIX[home]}/64" >"$conf"
quick() { on_home env WG_QUICK_USERSPACE_IMPLEMENTATION="$TUND" wg-quick "$@"; }
assert "wg-quick up" quick up "$conf"
assert_soon "PersistentKeepalive makes a handshake by itself" 5 \
    eval '(( $(wg_show home latest-handshakes) > 0 ))'
assert "and the tunnel carries IPv4" wg_ping home "${WG_FOUR[coord]}"
assert "and IPv6" wg_ping home "${WG_SIX[coord]}"
assert_eq "wg-quick set the MTU for the way" "$(on_home cat /sys/class/net/wg0/mtu)" 1420

# syncconf changes what differs and leaves the session of what does not.
handshake=$(wg_show home latest-handshakes)
other=$(wg genkey | wg pubkey)
sync() {
    on_home wg-quick strip "$conf" >"$LAB_DIR/sync.conf"
    printf '%s\n' "$@" >>"$LAB_DIR/sync.conf"
    on_home wg syncconf wg0 "$LAB_DIR/sync.conf"
}
sync "[Peer]" "PublicKey = $other" "AllowedIPs = 10.9.9.0/24"
assert_eq "wg syncconf adds a peer" "$(on_home wg show wg0 peers | sort)" \
    "$(printf '%s\n' "$other" "${WG_PUBLIC[coord]}" | sort)"
sync
assert_eq "and takes it away" "$(on_home wg show wg0 peers)" "${WG_PUBLIC[coord]}"
assert_eq "and the other's session lives on" "$(wg_show home latest-handshakes)" "$handshake"
on_home wg set wg0 listen-port 41234
assert_eq "the port can be changed" "$(on_home wg show wg0 listen-port)" 41234
assert "and the tunnel goes on" wg_ping home "${WG_FOUR[coord]}"
assert_eq "and the other end follows" "$(wg_show coord endpoints)" "${LAB_EXTERNAL[home]}:41234"
assert_fails "wg refuses a peer's own key as text that is none" \
    on_home wg set wg0 peer "${WG_PUBLIC[coord]}" allowed-ips 10.0.0.0/33
assert "wg takes an allowed IP from one peer and gives it to another" \
    on_home wg set wg0 peer "$other" allowed-ips "${WG_FOUR[coord]}/32"
assert_eq "so that each has one owner" \
    "$(on_home wg show wg0 allowed-ips | grep -c "${WG_FOUR[coord]}/32")" 1
pid=$(daemon_pid)
assert_le "two peers fit into 8 MiB" "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" 8192
assert "wg-quick down" quick down "$conf"
assert_soon "and the daemon is gone" 5 daemon_gone
assert_fails "with its socket" on_home test -e "$socket"

# All traffic through the tunnel: wg-quick marks the tunnel's own packets so that they go around it.
sed -i 's|^AllowedIPs.*|AllowedIPs = 0.0.0.0/0, ::/0|' "$conf"
assert "wg-quick up with all traffic through the tunnel" quick up "$conf"
assert_match "which sets a mark" "$(on_home wg show wg0 fwmark)" '^0x'
assert "and the tunnel works around itself" wg_ping home "${WG_FOUR[coord]}"
assert "and down again" quick down "$conf"
assert_soon "with nothing left" 5 daemon_gone

# What it says when it cannot start. (status, name of the trouble, what must be in the sentence)
refusal() {
    local status=$1 name=$2 sentence=$3
    shift 3
    assert_status "$name: status $status" "$status" "$@"
    assert_match "$name: a sentence that says what to do" "$LAB_OUTPUT" "$sentence"
    assert_fails "$name: nothing is left behind" on_home ip link show wg9
}
refusal 2 "no name" "which interface" on_home "$TUND"
refusal 2 "too long a name" "1 to 15 characters" on_home "$TUND" sixteen-letters-
refusal 4 "another kind of interface has the name" "choose another name" on_home "$TUND" eth0
refusal 3 "without the capability" "run as root" \
    on_home setpriv --bounding-set -net_admin --inh-caps -net_admin "$TUND" wg9
refusal 3 "without /dev/net/tun" "modprobe tun" \
    on_home unshare --mount sh -c 'mount -t tmpfs none /dev && exec "$1" wg9' sh "$TUND"
lab_spawn occupant home "$TUND" -f --port 5555 wg8
wait_until 5 on_home test -S /run/wireguard/wg8.sock
refusal 4 "the UDP port is taken" "choose another with --port" on_home "$TUND" --port 5555 wg9
assert_status "SIGTERM ends it with 0" 0 lab_stop occupant
assert_fails "and the interface went with it" on_home ip link show wg8
lab_spawn stormy home "$TUND" -f wg8
wait_until 5 on_home test -S /run/wireguard/wg8.sock
for _ in {1..200}; do
    kill -s TERM "${LAB_PID[stormy]}" 2>>"$LAB_DIR/log/storm.log" || break
done
assert_status "SIGTERM many times over ends it with 0 as well" 0 wait "${LAB_PID[stormy]}"
assert_fails "and the socket is gone" on_home test -e /run/wireguard/wg8.sock
on_home sh -c 'rm -rf /run/wireguard; mkdir -m 0777 /run/wireguard'
refusal 3 "others can write where the socket goes" "directory of root" on_home "$TUND" wg9
