// One check in a process of its own: node --import tsx child.ts <check> <arguments as JSON>. It ends with status 0, or
// with the reason on standard error. What a job answers is the last line of standard output.
import process from 'node:process';
import { checkAddon } from './addons.ts';
import { builtRows } from './built.ts';
import { runJob, runReferenceJob } from './jobs.ts';
import { checkLoading, checkRefusal } from './loading.ts';

const [check = '', json = '{}'] = process.argv.slice(2);
const args = JSON.parse(json);

switch (check) {
  case 'load':
    checkLoading(args.path, args.symbol, args.tls === true);
    break;
  case 'refusal':
    checkRefusal(args.path, args.code);
    break;
  case 'job':
    console.log(JSON.stringify(runJob(args.file, args.path)));
    break;
  case 'reference':
    console.log(JSON.stringify(runReferenceJob(args.file, args.path)));
    break;
  case 'built':
    await builtRows.find((row) => row.name === args.name)?.check(args.files);
    break;
  case 'built-reference':
    await builtRows.find((row) => row.name === args.name)?.reference?.(args.files);
    break;
  case 'addon':
    await checkAddon(args.path);
    break;
  default:
    throw new Error(`no check '${check}'`);
}
