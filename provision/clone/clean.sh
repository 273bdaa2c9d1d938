#!/bin/sh
# Takes out of the copy of a container what belongs to one person or to one machine.
# The copy is at rest (lab/instances/at_rest.py): nothing runs that could write anything again.
#
#   clean.sh ACCOUNT [OWNER]
#
# ACCOUNT is made at the first boot, so nothing may have that name. Where /home is a copy, too, OWNER
# is whose it was. A second run does the same.
# shellcheck disable=SC2016 # the quoted programs are for awk
set -eu
umask 077
account=$1
owner=${2:-}

# A mount may be somebody's, and a bind mount is on the same device as what it covers.
foreign=$(awk '$5 ~ "^/(etc|root|tmp|usr|var)(/|$)" { print $5 }' /proc/self/mountinfo)
if [ -n "$foreign" ]; then
    echo "This is mounted where files are removed:" "$foreign" >&2
    exit 1
fi

rewrite() { # FILE AWK-PROGRAM: FILE keeps its owner and mode
    [ -f "$1" ] || return 0
    awk -F: -v OFS=: -v people="$people" "
        BEGIN { count = split(people, list, \" \"); for (i = 1; i <= count; i++) is[list[i]] = 1 }
        function others(field,  n, names, i, kept) {
            n = split(field, names, \",\"); kept = \"\"
            for (i = 1; i <= n; i++) if (!(names[i] in is)) kept = kept (kept == \"\" ? \"\" : \",\") names[i]
            return kept
        }
        $2" "$1" >"$1.labstamp"
    cat "$1.labstamp" >"$1"
    rm -f "$1.labstamp"
}

# Accounts of people, by their uid as in login.defs(5), and every password.
people=$(awk -F: '$3 >= 1000 && $3 < 60000 { printf "%s ", $1 }' /etc/passwd)
rewrite /etc/passwd '!($1 in is)'
rewrite /etc/shadow '!($1 in is) { if ($2 !~ /^[!*]/) $2 = "!"; print }'
rewrite /etc/group '!($1 in is) && $3 != 1000 { $4 = others($4); print }'
rewrite /etc/gshadow '!($1 in is) { if ($2 !~ /^[!*]/) $2 = "!"; $3 = others($3); $4 = others($4); print }'
rewrite /etc/subuid '!($1 in is)'
rewrite /etc/subgid '!($1 in is)'
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -f /etc/sudoers.d/90-cloud-init-users
for file in /etc/sudoers /etc/sudoers.d/*; do
    [ -f "$file" ] || continue
    rewrite "$file" '{ split($0, words, "[ \t]+"); if (!(words[1] in is)) print }'
done
for table in passwd group; do
    if cut -d: -f1 /etc/$table | grep -qxF -- "$account"; then
        echo "The system has an account or a group named $account (/etc/$table)." >&2
        exit 1
    fi
done
rm -rf /var/mail/* /var/spool/mail/* /var/spool/cron/crontabs/* /var/spool/cron/atjobs/*
rm -rf /var/lib/systemd/linger/* /var/lib/AccountsService/users/* /var/lib/AccountsService/icons/*

# Keys of the machine. systemd, cloud-init and xrdp make others at the first boot.
: >/etc/machine-id
chmod 444 /etc/machine-id
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -rf /etc/ssh/ssh_host_* /etc/ssh/labstamp /etc/ssh/sshd_config.d/00-labstamp.conf
rm -f /etc/ssh/sshd_config.d/50-cloud-init.conf
rm -f /etc/xrdp/cert.pem /etc/xrdp/key.pem /etc/xrdp/rsakeys.ini
rm -f /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
rm -rf /var/lib/gnome-remote-desktop/.local /var/lib/gnome-remote-desktop/.cache
rm -rf /var/lib/tailscale /var/lib/zerotier-one/identity.* /etc/wireguard/*
rm -f /etc/krb5.keytab /etc/docker/key.json
rm -rf /etc/apt/auth.conf /etc/apt/auth.conf.d/*

# Its network, and what cloud-init remembers: it sets the copy up as it does a new container.
rm -f /etc/netplan/50-cloud-init.yaml /etc/netplan/90-default.yaml
rm -f /etc/systemd/network/10-cloud-init-*.network /etc/network/interfaces.d/50-cloud-init*
rm -rf /var/lib/dhcp/* /var/lib/NetworkManager/* /etc/NetworkManager/system-connections/*
rm -rf /var/lib/cloud/* /etc/cloud/cloud-init.disabled
rewrite /etc/hosts '$0 !~ /^[ \t]*127\.0\.1\.1[ \t]/'

# What somebody did, said and logged in to.
secrets() { # DIRECTORY of an account
    for name in .ssh .gnupg .aws .azure .kube .kaggle .huggingface .docker/config.json .cache \
        .netrc .authinfo .pgpass .my.cnf .mylogin.cnf .npmrc .pypirc .git-credentials .gitconfig \
        .config/git .config/gh .config/glab-cli .config/hub .config/rclone .config/gcloud \
        .config/google-chrome .config/chromium .mozilla .thunderbird .pki \
        .local/share/keyrings .local/share/recently-used.xbel .local/state \
        .vscode-server/data .vnc/passwd .Xauthority .ICEauthority .lesshst .viminfo .wget-hsts; do
        rm -rf -- "${1:?}/$name"
    done
    find "$1" -maxdepth 1 -name '.*_history' -exec rm -rf -- {} +
}
secrets /root
rm -rf /var/log/journal/* /var/log/installer
find /var/log -type f \( -name '*.gz' -o -name '*.[0-9]' -o -name '*.old' \) -delete
find /var/log -type f -exec truncate -s 0 {} +
find /tmp /var/tmp -mindepth 1 -delete

if [ -n "$owner" ]; then
    for directory in /home/*; do
        if [ -d "$directory" ] && [ ! -L "$directory" ]; then secrets "$directory"; fi
    done
    if [ -d "/home/$owner" ] && [ ! -e "/home/$account" ]; then
        mv "/home/$owner" "/home/$account"
    fi
fi
sync
