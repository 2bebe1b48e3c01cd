/** Where the files that the driver hands to a host lie: firewall, key, settings. Made by the base image. */
export const SETTINGS_DIR = '/etc/cloudspace';
/** Loaded at boot, before the network's services. */
export const FIREWALL_FILE = `${SETTINGS_DIR}/firewall.nft`;
export const KEYS_FILE = `${SETTINGS_DIR}/authorized_keys`;
/** Made by a host when its first boot's work is done. */
export const BOOTED_FILE = '/var/lib/cloudspace/booted';
/** PID 1 of an instance until systemd takes over. */
export const BOOT_PROGRAM = '/usr/local/sbin/cloudspace-boot';
