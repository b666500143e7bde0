// As enter_x86_64.S; x19 to x30, sp and d8 to d15 are what a call must preserve (AAPCS64 6.1).
	.text
	.globl	insitu_wasm_enter
	.hidden	insitu_wasm_enter
	.type	insitu_wasm_enter, %function
insitu_wasm_enter:
	.cfi_startproc
	stp	x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	mov	x29, sp
	stp	x19, x20, [x0]
	stp	x21, x22, [x0, #16]
	stp	x23, x24, [x0, #32]
	stp	x25, x26, [x0, #48]
	stp	x27, x28, [x0, #64]
	stp	d8, d9, [x0, #80]
	stp	d10, d11, [x0, #96]
	stp	d12, d13, [x0, #112]
	stp	d14, d15, [x0, #128]
	mov	x9, sp
	str	x9, [x0, #144]
	mov	x9, x1
	mov	x0, x2
	mov	x1, x3
	mov	x2, x4
	blr	x9
	mov	x0, #0
	ldp	x29, x30, [sp], #16
	ret
	.cfi_endproc
	.size	insitu_wasm_enter, .-insitu_wasm_enter

	.globl	insitu_wasm_leave
	.hidden	insitu_wasm_leave
	.type	insitu_wasm_leave, %function
insitu_wasm_leave:
	.cfi_startproc
	ldp	x19, x20, [x0]
	ldp	x21, x22, [x0, #16]
	ldp	x23, x24, [x0, #32]
	ldp	x25, x26, [x0, #48]
	ldp	x27, x28, [x0, #64]
	ldp	d8, d9, [x0, #80]
	ldp	d10, d11, [x0, #96]
	ldp	d12, d13, [x0, #112]
	ldp	d14, d15, [x0, #128]
	ldr	x9, [x0, #144]
	mov	sp, x9
	mov	x0, x1
	ldp	x29, x30, [sp], #16
	ret
	.cfi_endproc
	.size	insitu_wasm_leave, .-insitu_wasm_leave
	.section .note.GNU-stack,"",%progbits
