/* Division of 64 bits by 64, which the core has not, as the compiler calls it (ARM, "Run-time ABI for the Arm
 * Architecture", 5.3.1): r1:r0 by r3:r2, the quotient in r1:r0, the remainder in r3:r2. The C library of the
 * compiler takes 740 bytes of flash to be quick about it; here it is done a few times in a minute, by
 * shifting and subtracting, one bit at a time. Nobody divides by zero. */
    .syntax unified
    .thumb
    .section .text.__aeabi_uldivmod, "ax", %progbits
    .global __aeabi_uldivmod
    .type __aeabi_uldivmod, %function
    .thumb_func
__aeabi_uldivmod:
    push {r4-r7, lr}
    movs r4, #0 /* r5:r4 is what is left so far */
    movs r5, #0
    movs r6, #64
1:  adds r0, r0, r0
    adcs r1, r1, r1
    adcs r4, r4, r4
    adcs r5, r5, r5
    cmp r4, r2
    sbcs r7, r5, r3
    bcc 2f
    subs r4, r4, r2
    sbcs r5, r5, r3
    adds r0, r0, #1
2:  subs r6, r6, #1
    bne 1b
    mov r2, r4
    mov r3, r5
    pop {r4-r7, pc}
    .size __aeabi_uldivmod, . - __aeabi_uldivmod
