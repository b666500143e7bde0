// TLS descriptor entry: x0 = the descriptor; answers x0 = address - thread pointer and keeps every other register
// (AAELF64 / TLSDESC specification). Word 1 of the descriptor points to { module, offset }.
	.text
	.globl	insitu_tlsdesc
	.hidden	insitu_tlsdesc
	.type	insitu_tlsdesc, %function
insitu_tlsdesc:
	.cfi_startproc
	stp	x1, x2, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	stp	x3, x4, [sp, #16]
	ldr	x0, [x0, #8]
	mrs	x4, tpidr_el0
	adrp	x1, :gottprel:insitu_tls_table
	ldr	x1, [x1, :gottprel_lo12:insitu_tls_table]
	ldr	x1, [x4, x1]
	cbz	x1, 1f
	ldr	x2, [x0]
	tbz	x2, #63, 1f			// not ours: the C library's module
	and	x2, x2, #0x7fffffffffffffff
	ldr	x3, [x1]
	cmp	x2, x3
	b.hs	1f
	add	x1, x1, #8
	ldr	x1, [x1, x2, lsl #3]
	cbz	x1, 1f
	ldr	x0, [x0, #8]
	add	x0, x0, x1
	sub	x0, x0, x4
	ldp	x3, x4, [sp, #16]
	ldp	x1, x2, [sp], #32
	.cfi_adjust_cfa_offset -32
	ret
1:	// This thread's first touch allocates: calls C, so every caller-saved register is put by.
	.cfi_adjust_cfa_offset 32
	stp	x29, x30, [sp, #-160]!
	.cfi_adjust_cfa_offset 160
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	mov	x29, sp
	stp	x5, x6, [sp, #16]
	stp	x7, x8, [sp, #32]
	stp	x9, x10, [sp, #48]
	stp	x11, x12, [sp, #64]
	stp	x13, x14, [sp, #80]
	stp	x15, x16, [sp, #96]
	stp	x17, x18, [sp, #112]
	mrs	x1, fpsr
	mrs	x2, fpcr
	mrs	x3, nzcv
	stp	x1, x2, [sp, #128]
	str	x3, [sp, #144]
	sub	sp, sp, #512
	.irp	n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
	str	q\n, [sp, #(16 * \n)]
	.endr
	.irp	n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
	str	q\n, [sp, #(16 * \n)]
	.endr
	bl	insitu_tls_get_addr
	mrs	x1, tpidr_el0
	sub	x0, x0, x1
	.irp	n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
	ldr	q\n, [sp, #(16 * \n)]
	.endr
	.irp	n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
	ldr	q\n, [sp, #(16 * \n)]
	.endr
	add	sp, sp, #512
	ldp	x1, x2, [sp, #128]
	ldr	x3, [sp, #144]
	msr	fpsr, x1
	msr	fpcr, x2
	msr	nzcv, x3
	ldp	x17, x18, [sp, #112]
	ldp	x15, x16, [sp, #96]
	ldp	x13, x14, [sp, #80]
	ldp	x11, x12, [sp, #64]
	ldp	x9, x10, [sp, #48]
	ldp	x7, x8, [sp, #32]
	ldp	x5, x6, [sp, #16]
	ldp	x29, x30, [sp], #160
	.cfi_adjust_cfa_offset -160
	ldp	x3, x4, [sp, #16]
	ldp	x1, x2, [sp], #32
	.cfi_adjust_cfa_offset -32
	ret
	.cfi_endproc
	.size	insitu_tlsdesc, . - insitu_tlsdesc
	.section	.note.GNU-stack, "", %progbits
