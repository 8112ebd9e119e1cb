#!/bin/bash
# Which pairs of routers let hosts reach each other: all but those of a symmetric
# one with a symmetric or a port-restricted one.
#
#                      coord
#                        |
#        --------------inet--------------
#        |    |    (20 ms links)    |    |
#       a1   a2  ... one home     b1   b2 ... and once more
#                    of each kind
#
# natpunch tries every pair. What it finds is what tund is measured by: where
# lab_can_punch says yes, tund has to be direct.
. "$(dirname "$0")/../lib/lab.sh"

kinds=(public full-cone address-restricted port-restricted symmetric carrier)
lab_internet
for kind in "${kinds[@]}"; do
    lab_home "a-$kind" "$kind"
    lab_home "b-$kind" "$kind"
done

for ((i = 0; i < ${#kinds[@]}; i++)); do
    for ((j = i; j < ${#kinds[@]}; j++)); do
        pair=("a-${kinds[i]}" "b-${kinds[j]}")
        if lab_can_punch "${kinds[i]}" "${kinds[j]}"; then
            assert "${kinds[i]} and ${kinds[j]} can punch" lab_natpunch "${pair[@]}"
        else
            assert_status "${kinds[i]} and ${kinds[j]} cannot" 1 lab_natpunch "${pair[@]}"
        fi
    done
done
