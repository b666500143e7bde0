// By itself: what V8's code cache is used for (hook/code.ts) cannot import.
export const importMain = (url: string): Promise<unknown> => import(url);
