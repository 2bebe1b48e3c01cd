/**
 * What programs need of the person's environment to find their files, the agent, the network and the language. Whatever else is there
 * (AWS_SECRET_ACCESS_KEY, tokens of other tools) is nobody's business but the person's.
 */
const PASSED =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|PWD|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLORTERM|NO_COLOR|TMPDIR|DISPLAY|WAYLAND_DISPLAY|XDG_[A-Z_]+|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|SSH_AGENT_PID|SSH_ASKPASS|SSH_SK_(?:PROVIDER|HELPER)|GPG_TTY|KRB5CCNAME|(?:https?|ftp|no|all)_proxy|(?:HTTPS?|FTP|NO|ALL)_PROXY|SSL_CERT_(?:FILE|DIR)|VIRTUAL_ENV|PYTHON(?:PATH|HOME)|(?:PYENV|ASDF|MISE|NIX|HOMEBREW)_(?!.*(?:TOKEN|KEY|SECRET|PASSWORD))[A-Z_]+|DOCKER_(?:HOST|CONTEXT|CONFIG|CERT_PATH|TLS_VERIFY|API_VERSION)|CONTAINER_(?:HOST|CONNECTION|SSHKEY)|CONTAINERS_[A-Z_]+|REGISTRY_AUTH_FILE)$/;

/**
 * The environment of a child process: a short list of the person's variables, and `more`. For execa with `extendEnv: false`, or for
 * spawn. Programs that the person names to print a password are the exception: they are written for the person's own shell.
 */
export function childEnvironment(
  more: Readonly<Record<string, string>> = {},
  from: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(Object.entries(from).filter(([name]) => PASSED.test(name))), ...more };
}
