// TLS descriptor entry: rax = the descriptor; answers rax = address - thread pointer and keeps every other register
// (psABI x86-64, "TLS Descriptors"). Word 1 of the descriptor points to { module, offset }.
	.text
	.globl	insitu_tlsdesc
	.hidden	insitu_tlsdesc
	.type	insitu_tlsdesc, @function
insitu_tlsdesc:
	.cfi_startproc
	pushq	%rcx
	.cfi_adjust_cfa_offset 8
	pushq	%rdx
	.cfi_adjust_cfa_offset 8
	movq	8(%rax), %rax
	movq	insitu_tls_table@gottpoff(%rip), %rcx
	movq	%fs:(%rcx), %rcx
	testq	%rcx, %rcx
	jz	1f
	movq	(%rax), %rdx
	btrq	$63, %rdx			// not ours: the C library's module
	jnc	1f
	cmpq	(%rcx), %rdx
	jae	1f
	movq	8(%rcx,%rdx,8), %rcx
	testq	%rcx, %rcx
	jz	1f
	movq	8(%rax), %rax
	addq	%rcx, %rax
	subq	%fs:0, %rax
	popq	%rdx
	.cfi_adjust_cfa_offset -8
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	ret
1:	// This thread's first touch allocates: calls C, so the caller-saved registers, vectors too, are put by.
	.cfi_adjust_cfa_offset 16
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	%rbx
	.cfi_offset %rbx, -40
	pushq	%rdi
	pushq	%rsi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	movq	%rax, %rbx
	movl	$0xd, %eax			// size of the enabled XSAVE area
	xorl	%ecx, %ecx
	pushq	%rbx
	cpuid
	movl	%ebx, %ecx
	popq	%rbx
	subq	%rcx, %rsp
	andq	$-64, %rsp
	xorl	%eax, %eax
	movq	%rsp, %rdi			// the XSAVE header must be zero
	addq	$512, %rdi
	movl	$8, %ecx
	rep stosq
	movl	$0xe7, %eax			// x87, SSE, AVX, AVX-512
	xorl	%edx, %edx
	xsave	(%rsp)
	movq	%rbx, %rdi
	call	insitu_tls_get_addr
	movq	%rax, %rbx
	movl	$0xe7, %eax
	xorl	%edx, %edx
	xrstor	(%rsp)
	movq	%rbx, %rax
	subq	%fs:0, %rax
	leaq	-56(%rbp), %rsp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rsi
	popq	%rdi
	popq	%rbx
	popq	%rbp
	.cfi_def_cfa %rsp, 24
	popq	%rdx
	.cfi_adjust_cfa_offset -8
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	insitu_tlsdesc, . - insitu_tlsdesc
	.section	.note.GNU-stack, "", @progbits
