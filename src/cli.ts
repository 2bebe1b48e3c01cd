#!/usr/bin/env node
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import type { Options } from './commands/context.ts';
import { COMMANDS } from './commands/index.ts';
import type { CommandSpec } from './commands/specs/spec.ts';
import { CloudspaceError, hasCode, type Ui } from './engine/types.ts';

// The SDK warns of Node versions it will drop next year; that is for us to act on, not for the person.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';

const program = new Command('cloudspace')
  .description(
    'Builds a Cloudspace, a small platform as a service, on AWS or on a practice cloud, and explains each step.',
  )
  .version(version(), '--version', 'print the version')
  .helpOption('--help', 'show help')
  .commandsGroup('Help:')
  .helpCommand('help [command]', 'show help for a command')
  .enablePositionalOptions()
  .showSuggestionAfterError()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'cloudspace: ')) })
  .addHelpText(
    'after',
    '\nExamples:\n  cloudspace practice          learn on this machine, without an account\n  cloudspace                   the walkthrough on AWS; goes on where it was left\n  cloudspace destroy           take everything down again\n\nExit codes: 0 done or saved, 1 failed or declined, 2 bad input, 130 interrupted.',
  );

const interrupt = new AbortController();
// Every wait listens to it, and a walk waits for many things at once.
setMaxListeners(0, interrupt.signal);
let exitCode = 0;

// `cloudspace logs shop | head`: who read has had enough. What is under way is finished and noted, as after Ctrl-C, and nobody is told.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    interrupt.abort(new CloudspaceError('nobody reads the output any more', { code: 'Interrupted', exitCode: 130 }));
  });

for (const { heading, commands } of COMMANDS)
  for (const spec of commands) program.addCommand(build(spec).helpGroup(heading), { isDefault: spec.default === true });

function build(spec: CommandSpec): Command {
  const command = new Command(spec.name)
    .copyInheritedSettings(program)
    .summary(spec.summary)
    .description(capital(spec.summary))
    .helpOption('--help', 'show help');
  if (spec.arguments) command.arguments(spec.arguments);
  // Everything after the host belongs to the remote command.
  if (spec.arguments?.includes('...')) command.passThroughOptions();
  else command.allowExcessArguments(false);
  for (const { flags, text, env, repeatable } of spec.options) {
    const option = new Option(flags, text);
    if (repeatable) option.argParser((value: string, before?: readonly string[]) => [...(before ?? []), value]);
    command.addOption(env ? option.env(env) : option);
  }
  if (spec.details !== undefined) command.addHelpText('after', `\n${spec.details}`);
  command.addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${example}`).join('\n')}`);
  command.action(async (...all: unknown[]) => {
    const options = command.optsWithGlobals() as Options;
    exitCode = await execute(spec, options, command.args);
    void all;
  });
  for (const child of spec.children ?? []) command.addCommand(build(child));
  return command;
}

async function execute(spec: CommandSpec, flags: Options, args: readonly string[]): Promise<number> {
  const { chooseUi } = await import('./ui/index.ts');
  const ui = await discreet(
    chooseUi({
      json: flags.json === true,
      document: spec.document === true || flags.dryRun === true,
      yes: flags.yes === true,
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      env: process.env,
      signal: interrupt.signal,
    }),
  );
  watchSignals(ui);
  try {
    const options = spec.config === false ? flags : await withConfigFile(flags);
    const { run } = await spec.load();
    const { redact } = await import('./secrets/redact.ts');
    const { secretSource } = await import('./secrets/source.ts');
    return await run({
      options,
      args,
      ui,
      signal: interrupt.signal,
      secrets: secretSource({ ask: (question) => ui.ask(question), signal: interrupt.signal }),
      print: (text) => process.stdout.write(redact(text)),
    });
  } catch (error) {
    return await fail(error, ui);
  } finally {
    ui.close();
  }
}

/** No secret that this run has learnt is ever shown, whatever an event or an error carries; and Ctrl-C is Ctrl-C at questions too. */
async function discreet(ui: Ui): Promise<Ui> {
  const { redactDeep } = await import('./secrets/redact.ts');
  return {
    notify: (event) => ui.notify(redactDeep(event)),
    // Ctrl-C at a question is no signal. It ends the run all the same, wherever the question comes from: a request that waits for credentials, say.
    ask: (question, withdraw) =>
      ui.ask(question, withdraw).catch((error: unknown) => {
        if (error instanceof CloudspaceError && error.code === 'Interrupted') interrupt.abort(error);
        throw error;
      }),
    close: () => ui.close(),
  };
}

async function fail(error: unknown, ui: Ui): Promise<number> {
  if (interrupt.signal.aborted || hasCode(error, 'Interrupted')) {
    ui.notify({ type: 'info', text: 'Interrupted. What was done is saved: run the same command again to go on.' });
    return 130;
  }
  const { translate } = await import('./aws/errors.ts');
  const known = error instanceof CloudspaceError ? error : translate(error, '');
  const { errorEvent } = await import('./ui/errorText.ts');
  ui.notify(errorEvent(known));
  if (process.env.CLOUDSPACE_DEBUG) process.stderr.write(`${(error as Error).stack}\n`);
  return known.exitCode;
}

/** First Ctrl-C: nothing new begins, what is under way is finished and noted. Second: out, at once; the journal can take it. */
function watchSignals(ui: Ui): void {
  const stop = (): void => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new CloudspaceError('interrupted', { code: 'Interrupted', exitCode: 130 }));
    ui.notify({
      type: 'info',
      text: 'Stopping: waiting for requests that are under way. Press Ctrl-C again to leave at once.',
    });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
}

/** Flags and environment win over the config file. */
async function withConfigFile(flags: Options): Promise<Options> {
  const { readConfigFile } = await import('./commands/settings/configFile.ts');
  const { forTeam } = await import('./commands/session/teamName.ts');
  return forTeam({ ...(await readConfigFile(flags.config)), ...flags });
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Commander has printed help, version or what is wrong with the words already.
  exitCode = error.exitCode === 0 ? 0 : 2;
}
// Not process.exit: output still in the pipe would be lost.
process.exitCode = exitCode;
