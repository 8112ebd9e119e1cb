#!/bin/bash
# Every kind of router really behaves as that kind.
#
#        coord 55.1.0.10, 55.1.0.11
#          |
#        inet ------------------------------- isp (the carrier's NAT)
#          | 20 ms                             | 20 ms, 100.64.N.0/24
#        home-r  (each kind, one after another)  sub-r
#          |                                   |
#        nas, laptop                          phone
#
# natprobe stands on a host and on the coordinator's host at once and lets
# packets cross the router. Wrong expectations must be refused, or all of the
# above would prove nothing.
. "$(dirname "$0")/../lib/lab.sh"

lab_internet
lab_home home port-restricted hosts=nas,laptop

for kind in full-cone address-restricted port-restricted symmetric; do
    for hairpin in 0 1; do
        lab_nat home "$kind" hairpin="$hairpin"
        if ((hairpin)); then
            assert "$kind with hairpin: inside hosts reach each other by their outside addresses" \
                lab_natprobe home --expect hairpin=yes
        else
            lab_prove home
            assert "$kind without hairpin: they do not" \
                lab_natprobe home --expect hairpin=no
        fi
    done
done

lab_nat home port-restricted hairpin=0
assert_status "a port-restricted router is not taken for a full cone" 1 \
    lab_natprobe home --expect mapping=EIM,filtering=EIF
assert_status "a port-restricted router is not taken for an address-restricted one" 1 \
    lab_natprobe home --expect mapping=EIM,filtering=ADF
assert_status "a port-restricted router is not taken for a symmetric one" 1 \
    lab_natprobe home --expect mapping=APDM,filtering=APDF
assert_status "a router without hairpin is not taken for one with it" 1 \
    lab_natprobe home --expect hairpin=yes
lab_nat home symmetric
assert_status "a symmetric router is not taken for a port-restricted one" 1 \
    lab_natprobe home --expect mapping=EIM,filtering=APDF

lab_home open public v6=open
lab_prove open

lab_home sub carrier hosts=phone
lab_prove sub
lab_nat sub-isp symmetric
assert "a home behind a symmetric carrier is symmetric" \
    lab_natprobe sub --expect mapping=APDM,filtering=APDF
lab_nat sub full-cone
lab_nat sub-isp full-cone
assert "a full cone behind a full cone is one" lab_natprobe sub --expect mapping=EIM,filtering=EIF

lab_home six port-restricted v6=firewall
LAB_ADDRESSES=$COORD_IP6,$COORD_IP6_2
assert "IPv6 without a firewall is open" lab_natprobe open --expect mapping=none,filtering=EIF
assert "an IPv6 firewall maps nothing and lets in answers only" \
    lab_natprobe six --expect mapping=none,filtering=APDF,punch=ok
unset LAB_ADDRESSES

lab_nat home port-restricted udp_timeout=2
assert "a router with a lifetime of 2 s keeps a mapping for 1.5 s, not for 2.6 s" \
    lab_natprobe home --expect lifetime=1.5-2.6
lab_nat home full-cone udp_timeout=2
assert "so does a full cone" lab_natprobe home --expect lifetime=1.5-2.6
assert_status "and a longer life is not believed" 1 lab_natprobe home --expect lifetime=2.6-2.8
