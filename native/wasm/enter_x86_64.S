// Entering compiled code, and coming back out of its middle.
//
// uint64_t insitu_wasm_enter(struct Frame *, wasm_enter, wasm_code, void *instance, uint64_t *slots)
//   calls enter(code, instance, slots) and answers 0. Answers anything else when insitu_wasm_leave came in between.
// void insitu_wasm_leave(struct Frame *, uint64_t answer)
//   drops every call since that frame was entered: there must be none that has a destructor to run.
	.text
	.globl	insitu_wasm_enter
	.hidden	insitu_wasm_enter
	.type	insitu_wasm_enter, @function
insitu_wasm_enter:
	.cfi_startproc
	endbr64
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	mov	%rbx, (%rdi)
	mov	%rbp, 8(%rdi)
	mov	%r12, 16(%rdi)
	mov	%r13, 24(%rdi)
	mov	%r14, 32(%rdi)
	mov	%r15, 40(%rdi)
	mov	%rsp, 48(%rdi)
	mov	%rsi, %rax
	mov	%rdx, %rdi
	mov	%rcx, %rsi
	mov	%r8, %rdx
	call	*%rax
	xor	%eax, %eax
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
	ret
	.cfi_endproc
	.size	insitu_wasm_enter, .-insitu_wasm_enter

	.globl	insitu_wasm_leave
	.hidden	insitu_wasm_leave
	.type	insitu_wasm_leave, @function
insitu_wasm_leave:
	.cfi_startproc
	endbr64
	mov	(%rdi), %rbx
	mov	8(%rdi), %rbp
	mov	16(%rdi), %r12
	mov	24(%rdi), %r13
	mov	32(%rdi), %r14
	mov	40(%rdi), %r15
	mov	48(%rdi), %rsp
	mov	%rsi, %rax
	pop	%rbp
	ret
	.cfi_endproc
	.size	insitu_wasm_leave, .-insitu_wasm_leave
	.section .note.GNU-stack,"",@progbits
