#!/bin/bash
# A network that lets nothing out but through an HTTP proxy that wants a password: a member in it
# joins, and talks to others. The proxy's name and password never stand in a command line.
#
#                coord  (UDP 3478, TCP 443)
#                  |
#        --------inet---------
#        | 20 ms             |
#    office-r              home-r   (port-restricted)
#    tinyproxy, 3128         |
#        |                 home
#     office, clerk
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
lab_home office port-restricted hosts=office,clerk
lab_home home port-restricted
overlay_members home office clerk
proxy=http://192.168.${LAB_NUMBER[office]}.1:3128
lab_proxy office keeper:open-sesame
overlay_up home

transport() { overlay_status "$1" .coordinator.transport; }
by_tls() { overlay_connected "$1" && [[ $(transport "$1") == tls ]]; }
install -m 600 /dev/stdin "$LAB_DIR/password" <<<"keeper:open-sesame"
install -m 600 /dev/stdin "$LAB_DIR/wrong" <<<"keeper:please"
install -m 644 /dev/stdin "$LAB_DIR/open" <<<"keeper:open-sesame"

assert_status "a password that others may read is refused" 3 lab_exec office "$TUND" -f \
    --state "$OVERLAY_STATE" --proxy "$proxy" --proxy-auth "$LAB_DIR/open" tund0
assert_match "and the message says what to do" "$LAB_OUTPUT" 'chmod 600'

overlay_start office --proxy "$proxy" --proxy-auth "$LAB_DIR/wrong"
assert_soon "with a wrong password the log names the reason" 5 lab_log_has tund-office \
    'the proxy wants a name and a password \(--proxy-auth\)'
assert "and the member is not connected" overlay_disconnected office
overlay_down office

overlay_start office --proxy "$proxy" --proxy-auth "$LAB_DIR/password"
assert_soon "with the right one it is connected" 3 by_tls office
assert_soon "and pings a member at home" 5 overlay_ping office home
assert_match "tundctl status names the proxy" "$(tundctl office status)" 'joined, TLS to proxy 192.168'
pid=${LAB_PID[tund-office]}
assert_fails "the password is not in the command line" grep -q sesame "/proc/$pid/cmdline"
assert_fails "nor in the log" grep -q -e sesame -e "$(base64 <<<keeper:open-sesame)" "$LAB_DIR/log/tund-office.log"

# the environment's proxy, as most programs take it; this one has no password for it
lab_spawn proxy-open office-r sh -c "echo 'Port 3129
ConnectPort 443' >$LAB_DIR/proxy-open.conf; exec tinyproxy -d -c $LAB_DIR/proxy-open.conf"
wait_until 5 lab_listens office-r 3129
https_proxy=${proxy%3128}3129 overlay_start clerk
assert_soon "https_proxy is used when nothing else is said" 3 by_tls clerk
assert_soon "two members behind the proxy reach each other" 5 overlay_ping clerk office
