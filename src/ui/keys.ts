type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown };

const CTRL_C = '\u0003';

/**
 * Swallows what is typed while the status line is there: it would be echoed into the line, and answer the next question unread. Ctrl-C is
 * sent to this process alone as SIGINT: children (Ansible, ssh) are ended by whoever started them. (Ora's own discarding reads nothing from a
 * stdin that nobody has read before, and so loses Ctrl-C.)
 * @returns gives the terminal back
 */
export function holdKeys(input: Input): () => void {
  if (input.isTTY !== true || input.setRawMode === undefined || process.platform === 'win32') return () => {};
  const onData = (chunk: Buffer | string) => {
    if (String(chunk).includes(CTRL_C)) process.kill(process.pid, 'SIGINT');
  };
  input.setRawMode(true);
  input.on('data', onData);
  input.resume();
  return () => {
    input.off('data', onData);
    input.setRawMode?.(false);
    input.pause();
  };
}
