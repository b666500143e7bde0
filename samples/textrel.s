# A library that cannot run in place: the pointer lies in .text, so loading would have to write to the code's own
# page (DT_TEXTREL, R_X86_64_64). It has to be refused, with the place named.
        .text
        .globl  answer
        .type   answer, @function
answer:
        movl    $42, %eax
        ret
        .size   answer, . - answer

        .globl  answer_by_pointer
        .type   answer_by_pointer, @function
answer_by_pointer:
        jmp     *pointer(%rip)
        .size   answer_by_pointer, . - answer_by_pointer

        .balign 8
pointer:
        .quad   answer

        .section .note.GNU-stack, "", @progbits
