/** What the walkthrough is going to do: it decides what is needed. On AWS hosts are not containers: `none`. */
export interface Wanted {
  readonly hosts: 'containers' | 'none';
  readonly provision: 'ansible' | 'skip';
}

/** How a missing or broken prerequisite is put right. */
export interface Fix {
  readonly description: string;
  /** system packages; those of several fixes are installed with one command */
  readonly packages: readonly string[];
  /** commands after the packages, complete with sudo where that is needed */
  readonly commands: readonly (readonly string[])[];
  /** afterwards the container engine's daemon is started, where it does not run yet */
  readonly startEngine: boolean;
  readonly needsRoot: boolean;
}

export interface Prerequisite {
  readonly id: string;
  readonly title: string;
  readonly status: 'ok' | 'missing' | 'old' | 'broken';
  /** good to have: nothing stops without it */
  readonly advisory: boolean;
  readonly found?: string;
  readonly need: string;
  readonly why: string;
  /** left out: nothing to do, or nothing that a command could do */
  readonly fix?: Fix;
  /** what to do by hand, where no command does it */
  readonly advice?: string;
}
