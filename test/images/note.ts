// The least that makes an image of a shared object: a note of insitu that leads to a description, of nothing.
import type { Unit } from '../../loader/compile/build.ts';

export const note: Unit = {
  name: 'note.s',
  text: `.section .note.insitu,"a",%note
.balign 4
.long 7, 16, 1
.asciz "insitu"
.balign 4
.long 1
.long description - .
.long 4, 0
.section .rodata
.balign 4
description: .long 0
.section .note.GNU-stack,"",%progbits
`,
};
