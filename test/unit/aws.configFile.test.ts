import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeProfile } from '../../src/aws/configFile.ts';

const settings = { role_arn: 'arn:aws:iam::123456789012:role/Admin', source_profile: 'root', region: 'eu-central-1' };
const section =
  '[profile team]\nrole_arn = arn:aws:iam::123456789012:role/Admin\nsource_profile = root\nregion = eu-central-1\n';

describe('writeProfile', () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cloudspace-config-'));
    file = join(dir, 'aws', 'config');
  });
  afterEach(() => rm(dir, { recursive: true }));
  const mode = async (path: string) => (await stat(path)).mode & 0o777;
  const start = async (text: string, fileMode = 0o644) => {
    file = join(dir, 'config');
    await writeFile(file, text, { mode: fileMode });
  };

  it('makes the file, private, where there is none', async () => {
    expect(await writeProfile('team', settings, { file })).toEqual({ file, changed: true });
    expect(await readFile(file, 'utf8')).toBe(section);
    expect(await mode(file)).toBe(0o600);
    expect(await mode(join(dir, 'aws'))).toBe(0o700);
  });

  it('appends to a file and leaves every byte of it, its mode, and a copy', async () => {
    const before = '# mine\n[default]\nregion=us-east-1 ; home\n\n[sso-session corp]\nsso_region = eu-west-1';
    await start(before, 0o640);
    const result = await writeProfile('team', settings, { file });
    expect(await readFile(file, 'utf8')).toBe(`${before}\n\n${section}`);
    expect(await mode(file)).toBe(0o640);
    expect(await readFile(result.backup ?? '', 'utf8')).toBe(before);
  });

  it('does nothing when the profile says the same', async () => {
    await start(
      `[ profile team ]\nregion=eu-central-1\noutput = json\nrole_arn=${settings.role_arn} # ours\nsource_profile = root\n`,
    );
    expect(await writeProfile('team', settings, { file })).toEqual({ file, changed: false });
  });

  it('refuses to change a profile that says something else, and says what', async () => {
    const before = '[profile team]\nrole_arn = arn:aws:iam::999999999999:role/Other\nregion = eu-central-1\n';
    await start(before);
    await expect(writeProfile('team', settings, { file })).rejects.toMatchObject({
      code: 'ProfileExists',
      exitCode: 2,
      message: expect.stringContaining('role_arn is arn:aws:iam::999999999999:role/Other') as string,
    });
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('replaces only its own keys when told to', async () => {
    await start(
      '[default]\nregion = x\n\n[profile team] ; the team\n# role\nrole_arn = other\noutput = json\n\n# the next\n[profile team2]\nrole_arn = stays\n',
    );
    await writeProfile('team', settings, { file, replace: true });
    expect(await readFile(file, 'utf8')).toBe(
      `[default]\nregion = x\n\n[profile team] ; the team\n# role\nrole_arn = ${settings.role_arn}\noutput = json\nsource_profile = root\nregion = eu-central-1\n\n# the next\n[profile team2]\nrole_arn = stays\n`,
    );
  });

  it('keeps Windows line ends', async () => {
    await start('[default]\r\nregion = x\r\n');
    await writeProfile('team', settings, { file });
    const text = await readFile(file, 'utf8');
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
  });

  it('writes through a symbolic link', async () => {
    await start('[default]\n');
    const link = join(dir, 'link');
    await symlink(file, link);
    await writeProfile('team', settings, { file: link });
    expect(await readFile(file, 'utf8')).toContain(section);
  });

  it('writes what the SDK reads', async () => {
    await writeProfile('team', settings, { file });
    const { loadSharedConfigFiles } = await import('@smithy/core/config');
    const loaded = await loadSharedConfigFiles({
      configFilepath: file,
      filepath: join(dir, 'none'),
      ignoreCache: true,
    });
    expect(loaded.configFile.team).toEqual(settings);
  });

  it.each(['a b', 'x]', '', 'a\nb'])('refuses the name %j', async (name) => {
    await expect(writeProfile(name, settings, { file })).rejects.toMatchObject({ exitCode: 2 });
  });

  it('never writes over an earlier copy', async () => {
    await mkdir(join(dir, 'aws'), { recursive: true });
    await writeFile(file, 'the first\n');
    await writeProfile('team', settings, { file });
    const second = await writeProfile('other', settings, { file });
    expect(second.backup).toBe(`${file}.before-cloudspace-2`);
    expect(await readFile(`${file}.before-cloudspace`, 'utf8')).toBe('the first\n');
  });
});
