#!/bin/sh
# xrdp as every desktop wants it: TLS alone, Xorg alone, one session an account, never root.
# Runs once, in the builder of `desktop`, the parent of all desktops.
set -eu

# put FILE SECTION KEY VALUE: the key's line in that section of an ini file; it fails where
# there is no such section. Written in place: mode and owner stay.
put() {
    awk -v section="[$2]" -v key="$3" -v value="$4" '
        function add() { if (inside && !done) { print key "=" value; done = 1 } }
        /^\[/ { add(); inside = ($0 == section) }
        inside && index($0, key "=") == 1 { add(); next }
        { print }
        END { add(); exit !done }' "$1" >/run/labstamp/ini
    cat /run/labstamp/ini >"$1"
}

xrdp=/etc/xrdp/xrdp.ini
# The other ways to a session (Xvnc, a proxy to another RDP server) are not installed.
awk '/^\[/ { keep = /^\[(Globals|Logging|LoggingPerLogger|Channels|Xorg)\]/ } keep' $xrdp >/run/labstamp/ini
cat /run/labstamp/ini >$xrdp
put $xrdp Globals security_layer tls
put $xrdp Globals ssl_protocols 'TLSv1.2, TLSv1.3'
put $xrdp Globals certificate /etc/xrdp/cert.pem
put $xrdp Globals key_file /etc/xrdp/key.pem
# sesman finds a session by account and colour depth: with one depth there is one session, and
# whoever comes back finds it, from whatever client.
put $xrdp Xorg xserverbpp 24

sesman=/etc/xrdp/sesman.ini
put $sesman Security AllowRootLogin false
put $sesman Sessions KillDisconnected false
put $sesman Sessions Policy Default
# Drives of the client, out of the home: there a backup would walk through them.
put $sesman Chansrv FuseMountName /run/user/%u/thinclient_drives

systemctl daemon-reload
systemctl enable xrdp-certificate.service

# A container neither sleeps nor has disks: those that udisks would offer to mount are the host's.
systemctl mask sleep.target suspend.target hibernate.target hybrid-sleep.target udisks2.service

dconf update
