import { createHash } from 'node:crypto';
import type { AptSettings } from './apt.ts';
import { BOOT_PROGRAM, BOOTED_FILE, FIREWALL_FILE, KEYS_FILE, SETTINGS_DIR } from './paths.ts';
import type { ContainerFile } from './tar.ts';

export type Variant = 'base' | 'postgres' | 'haproxy';

/** What Debian's cloud image has and a host needs, plus nftables for the security groups and nc for the proxy's socket. */
const BASE_PACKAGES = [
  'systemd systemd-sysv dbus libpam-systemd systemd-timesyncd',
  'openssh-server sudo python3 python3-apt ca-certificates curl',
  'iproute2 nftables iputils-ping procps kmod less netcat-openbsd',
].join(' ');

const VARIANT_PACKAGES: Record<Exclude<Variant, 'base'>, string> = {
  postgres: 'postgresql-15 openssl',
  haproxy: 'haproxy',
};

/** These need devices, kernel modules or a console that a container lacks, or ask questions at the first boot. */
const MASKED = [
  'systemd-udevd.service',
  'systemd-udevd-control.socket',
  'systemd-udevd-kernel.socket',
  'systemd-udev-trigger.service',
  'systemd-modules-load.service',
  'systemd-firstboot.service',
  'systemd-networkd.service',
  'systemd-resolved.service',
  'console-getty.service',
  'getty@tty1.service',
  'dev-hugepages.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-config.mount',
  'e2scrub_all.timer',
  'fstrim.timer',
];

const FIREWALL_UNIT = `[Unit]
Description=Security groups of this practice instance
DefaultDependencies=no
Before=network-pre.target sysinit.target ssh.service
Wants=network-pre.target
ConditionPathExists=${FIREWALL_FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f ${FIREWALL_FILE}

[Install]
RequiredBy=ssh.service
`;

const INIT_UNIT = `[Unit]
Description=First boot of this practice instance: host keys and the key pair's public key
After=local-fs.target
Before=ssh.service
ConditionPathExists=!${BOOTED_FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/cloudspace-first-boot

[Install]
RequiredBy=ssh.service
`;

const FIRST_BOOT = `#!/bin/sh
# What cloud-init does on an instance: its own host keys, and the key pair's public key for the user admin.
set -eu
ssh-keygen -A
if [ -s ${KEYS_FILE} ]; then
  install -d -o admin -g admin -m 0700 /home/admin/.ssh
  install -o admin -g admin -m 0600 ${KEYS_FILE} /home/admin/.ssh/authorized_keys
fi
mkdir -p ${BOOTED_FILE.slice(0, BOOTED_FILE.lastIndexOf('/'))}
touch ${BOOTED_FILE}
`;

// The engine mounts the container's control groups read-only. Version 2 takes a remount of the file system, version 1 of the mount only.
const BOOT = `#!/bin/sh
while read -r _ target type _; do
  case $type in
    cgroup | cgroup2) mount -o remount,rw "$target" 2>/dev/null || mount -o remount,rw,bind "$target" ;;
  esac
done < /proc/mounts
exec /sbin/init
`;

const SUDOERS = 'admin ALL=(ALL) NOPASSWD:ALL\n';

const SETUP_FILE = '/cloudspace-setup.sh';

/** A layer: files that are put into a container of the layer below, and the command that it runs once. */
export interface Layer {
  readonly files: readonly ContainerFile[];
  readonly command: readonly string[];
  /** names the layer: changes whenever anything that goes into it changes */
  readonly hash: string;
}

/** The base layer on a bare Debian 12: packages, the user admin, no host keys, nothing that fails at boot. Pure. */
export function baseLayer(apt: AptSettings, architecture: string): Layer {
  const sources = [
    `deb ${apt.mirror} bookworm main`,
    `deb ${apt.mirror} bookworm-updates main`,
    `deb ${apt.security} bookworm-security main`,
    '',
  ].join('\n');
  const script = `#!/bin/sh
set -eu
export DEBIAN_FRONTEND=noninteractive
rm -f /etc/apt/sources.list.d/debian.sources
mkdir -p ${SETTINGS_DIR}
chmod 0700 ${SETTINGS_DIR}
# Daemons are not to start while the image is made.
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/cloudspace-build
if ls /cloudspace-ca-*.crt >/dev/null 2>&1; then
  mkdir -p /usr/local/share/ca-certificates
  for file in /cloudspace-ca-*.crt; do mv "$file" "/usr/local/share/ca-certificates/\${file#/cloudspace-ca-}"; done
  # Where the package is still missing its installation does this.
  if command -v update-ca-certificates >/dev/null; then update-ca-certificates; fi
fi
apt-get -q update
apt-get -q -y -o Dpkg::Options::=--force-confold dist-upgrade
apt-get -q -y --no-install-recommends install ${BASE_PACKAGES}
useradd --create-home --shell /bin/bash --groups sudo,adm admin
passwd --lock root
echo LANG=C.UTF-8 > /etc/default/locale
install -m 0440 /cloudspace-sudoers /etc/sudoers.d/90-cloudspace
install -m 0755 /cloudspace-boot ${BOOT_PROGRAM}
install -m 0755 /cloudspace-first-boot /usr/local/sbin/cloudspace-first-boot
install -m 0644 /cloudspace-firewall.service /etc/systemd/system/cloudspace-firewall.service
install -m 0644 /cloudspace-init.service /etc/systemd/system/cloudspace-init.service
for unit in ${MASKED.join(' ')}; do ln -sf /dev/null "/etc/systemd/system/$unit"; done
systemctl enable cloudspace-firewall.service cloudspace-init.service ssh.service
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/cloudspace-build
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt /cloudspace-*
`;
  const files: ContainerFile[] = [
    { path: SETUP_FILE, text: script, mode: 0o700 },
    { path: '/cloudspace-sudoers', text: SUDOERS },
    { path: '/cloudspace-boot', text: BOOT },
    { path: '/cloudspace-first-boot', text: FIRST_BOOT },
    { path: '/cloudspace-firewall.service', text: FIREWALL_UNIT },
    { path: '/cloudspace-init.service', text: INIT_UNIT },
    { path: '/etc/apt/sources.list', text: sources },
    { path: '/etc/apt/apt.conf.d/90cloudspace', text: aptConf(apt), mode: 0o600 },
    ...apt.authorities.map(({ name, pem }) => ({ path: `/cloudspace-ca-${name}.crt`, text: `${pem}\n` })),
  ];
  return { files, command: ['/bin/sh', SETUP_FILE], hash: digest([architecture, ...files.map((file) => file.text)]) };
}

function aptConf(apt: AptSettings): string {
  return ['Acquire::Languages "none";', 'Acquire::Retries "3";', apt.conf, ''].join('\n');
}

/** A layer over the base: PostgreSQL or HAProxy from Debian, without a cluster or a configuration of its own. Pure. */
export function variantLayer(variant: Exclude<Variant, 'base'>, base: Layer): Layer {
  const script = `#!/bin/sh
set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/cloudspace-build
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
apt-get -q update
apt-get -q -y --no-install-recommends install ${VARIANT_PACKAGES[variant]}
rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/cloudspace-build ${SETUP_FILE}
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
`;
  const files = [{ path: SETUP_FILE, text: script, mode: 0o700 }];
  return { files, command: ['/bin/sh', SETUP_FILE], hash: digest([base.hash, script]) };
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}
