import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { insitu, main } from './insitu.ts';

const doctor = suite('insitu doctor');

doctor('the keys that programs rely on', () => {
  const { status, stdout, stderr } = insitu(['doctor', '--json']);
  assert.equal([status, stderr], [0, '']);
  const diagnosis = JSON.parse(stdout);
  for (const key of ['daxMounts', 'deviceDax', 'pmemDevices', 'ramMounts', 'region', 'evidence', 'advice'])
    assert.ok(key in diagnosis, key);
  assert.ok(['dax', 'ram', 'page-cache'].includes(diagnosis.region.medium));
  assert.ok(['power-cut', 'unknown', 'nothing'].includes(diagnosis.region.sync.survives));
  assert.is(diagnosis.machine, process.arch);
  assert.ok(diagnosis.node.startsWith(process.version));
  for (const { why, command } of diagnosis.advice) assert.ok(why.length > 0 && command.length > 0);
  const points = diagnosis.ramMounts.map(({ mountPoint }: { mountPoint: string }) => mountPoint);
  assert.is(new Set(points).size, points.length, 'a mount under another is not to be seen');
});

doctor('for people: what there is, and a command for what is missing', () => {
  const { status, stdout } = insitu(['doctor']);
  assert.is(status, 0);
  for (const row of [
    'DAX mounts',
    'device-dax',
    'default region',
    'a sync there',
    'evidence',
    'write-back',
    'Node',
  ])
    assert.match(stdout, new RegExp(`^${row} +\\S`, 'm'));
  const { advice } = JSON.parse(insitu(['doctor', '--json']).stdout);
  for (const { command } of advice) assert.ok(stdout.includes(`\n    ${command}\n`), command);
});

// ---- a container's mounts, in a mount namespace of this test's own

const container = (setup: string, command: string[]) =>
  spawnSync('unshare', ['-m', 'sh', '-c', `${setup} && exec "$@"`, 'sh', ...command], { encoding: 'utf8' });
const probe = container('mount -t tmpfs -o noexec tmpfs /dev/shm', ['true']);
const refused =
  probe.status === 0 ? '' : `: no mount namespace (${(probe.stderr || `${probe.error}`).trim()})`;
const inContainer = refused ? doctor.skip : doctor;
const module = new URL('../../loader/default-region.ts', import.meta.url).href;

/** What defaultRegion answers where `setup` has been done. */
function regionAfter(setup: string) {
  const script = `import { defaultRegion } from '${module}';
    console.log(JSON.stringify(defaultRegion()));`;
  const { status, stdout, stderr } = container(setup, [
    process.execPath,
    '--import=tsx',
    '--input-type=module',
    '-e',
    script,
  ]);
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as {
    directory: string;
    medium: string;
    passedOver: { directory: string; reason: string }[];
  };
}

/** Whatever RAM file systems the machine has besides are made read-only. */
const onlyShm = (options: string) =>
  `mount -t tmpfs -o ${options} tmpfs /dev/shm && mount -t tmpfs -o ro tmpfs /run && { [ ! -e /run/user ] || true; }`;

inContainer(`the default region is /dev/shm where nothing is better${refused}`, () => {
  const { directory, medium } = regionAfter(onlyShm('exec'));
  assert.equal([directory, medium], ['/dev/shm', 'ram']);
});

inContainer(`a /dev/shm that is mounted noexec is passed over, and says so${refused}`, () => {
  const { directory, medium, passedOver } = regionAfter(onlyShm('noexec'));
  assert.is.not(directory, '/dev/shm');
  assert.ok(medium === 'page-cache' || medium === 'ram');
  const passed = passedOver.find((candidate) => candidate.directory === '/dev/shm');
  assert.match(passed?.reason ?? '', /tmpfs is mounted noexec/);
});

inContainer(`another RAM file system is better than the page cache${refused}`, () => {
  const setup = `${onlyShm('noexec')} && mount -t tmpfs tmpfs /mnt`;
  const { directory, medium, passedOver } = regionAfter(setup);
  assert.equal([directory, medium], ['/mnt', 'ram']);
  assert.ok(passedOver.some((candidate) => candidate.directory === '/dev/shm'));
});

inContainer(`doctor tells how to make /dev/shm executable${refused}`, () => {
  const { stdout } = container(onlyShm('noexec'), [process.execPath, main, 'doctor']);
  assert.match(stdout, /^passed over .*\/dev\/shm: tmpfs is mounted noexec/m);
  assert.match(stdout, /\n {4}mount -o remount,exec \/dev\/shm\n/);
});

inContainer(`a program and a library on a noexec mount are refused with the reason${refused}`, () => {
  const setup = `${onlyShm('noexec')} && cp /bin/true /dev/shm/true`;
  const { status, stderr } = container(setup, [process.execPath, main, 'run', '/dev/shm/true']);
  assert.is(status, 126);
  assert.match(stderr, /^insitu: [^\n]*(noexec|EACCES)[^\n]*\n$/);
});

doctor.run();
