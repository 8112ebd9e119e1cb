#!/bin/bash
# A tunnel follows its ends: the router forgets a mapping, the home moves to another address
# or another family, the server has two addresses.
#
#        coord 55.1.0.10, 55.1.0.11    (tund or wireguard-go)
#          |
#        inet
#          | 10 ms
#        home-r    (symmetric: each mapping has another port)
#          |
#        home
# time limit: 150 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/wireguard.sh"

lab_internet
lab_home home symmetric v6=firewall
wg_identity coord 1
wg_identity home 2
lan=${LAB_IP[home]%.*}
# readdress FROM TO: the home's host as if it came into another network
readdress() {
    lab_ip home <<IP
addr del $1/24 dev eth0
addr add $2/24 dev eth0
route replace default via $lan.1
IP
}
moved() { [[ $(wg_show coord endpoints) != "$1" ]]; }
one_ping() { lab_exec "$1" ping -q -c 1 -W 1 "$2"; }

for pair in "tund tund" "tund wireguard-go" "wireguard-go tund"; do
    read -r home coord <<<"$pair"
    name="$home at home, $coord outside"
    wg_up home "$home"
    wg_up coord "$coord"
    wg_setconf coord home
    wg_setconf home coord "Endpoint = $COORD_IP:51820" "PersistentKeepalive = 1"
    require "$name: the tunnel is up" wg_ping home "${WG_FOUR[coord]}"

    before=$(wg_show coord endpoints)
    lab_forget home
    assert_soon "$name: after the router forgot, the keepalive tells the new port" 5 moved "$before"
    assert_soon "$name: and the way from outside works again" 5 one_ping coord "${WG_FOUR[home]}"

    lab_exec home wg set wg0 peer "${WG_PUBLIC[coord]}" endpoint "[$COORD_IP6]:51820"
    assert_soon "$name: the tunnel moves to IPv6" 5 \
        eval '[[ $(wg_show coord endpoints) == "['"${LAB_IP6[home]}"']:51820" ]]'
    assert_soon "$name: and carries on there" 5 one_ping coord "${WG_FOUR[home]}"

    # An endpoint of which the server must answer from that very address: a NAT lets nothing else in.
    lab_exec home wg set wg0 peer "${WG_PUBLIC[coord]}" endpoint "$COORD_IP_2:51820"
    assert_soon "$name: the server's second address answers" 5 one_ping home "${WG_FOUR[coord]}"
    assert_eq "$name: from where it was asked" "$(wg_show home endpoints)" "$COORD_IP_2:51820"
    assert "$name: what the server begins comes from there too" wg_ping coord "${WG_FOUR[home]}"

    # The home's host gets another address, as from another network. (wireguard-go of Debian 12 clings to the
    # old one, so only tund is asked.)
    if [[ $home == tund ]]; then
        readdress "${LAB_IP[home]}" "$lan.77"
        assert_soon "$name: after a change of address the tunnel goes on" 5 one_ping home "${WG_FOUR[coord]}"
        readdress "$lan.77" "${LAB_IP[home]}"
        assert_soon "$name: and back" 5 one_ping home "${WG_FOUR[coord]}"
    fi
    wg_down home
    wg_down coord
done
