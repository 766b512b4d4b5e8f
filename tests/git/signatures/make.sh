#!/usr/bin/env bash
# Makes the signed commits of this folder anew, with Git, OpenSSH and GnuPG as people use them. The tests only read them.
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'gpgconf --homedir "$work/gnupg" --kill all; rm -rf "$work"' EXIT
rm -f "$out"/*.commit "$out"/*.asc "$out"/allowed_signers

export HOME=$work GIT_CONFIG_NOSYSTEM=1 GNUPGHOME=$work/gnupg
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.com
mkdir -m 700 "$GNUPGHOME"
git init -q "$work/repository"
cd "$work/repository"
mkdir prod
printf 'signed\n' >prod/a.yaml
git add prod
tree=$(git write-tree)

# Makes a commit: NAME TIME OPTIONS OF GIT...
commit() {
  local name=$1 time=$2 id
  shift 2
  id=$(GIT_AUTHOR_DATE="$time +0000" GIT_COMMITTER_DATE="$time +0000" git "$@" commit-tree -S -m "$name" "$tree")
  git cat-file commit "$id" >"$out/$name.commit"
}

# 2026-01-01.
now=1767225600

for kind in ed25519 ecdsa-256 ecdsa-384 ecdsa-521 rsa-3072 rsa-1024 unknown; do
  case $kind in
    unknown) options=(-t ed25519) ;;
    *-*) options=(-t "${kind%-*}" -b "${kind#*-}") ;;
    *) options=(-t "$kind") ;;
  esac
  ssh-keygen -q "${options[@]}" -N '' -C '' -f "$work/$kind"
  [ "$kind" = unknown ] || echo "$kind@example.com $(cat "$work/$kind.pub")" >>"$out/allowed_signers"
  commit "ssh-$kind" $now -c gpg.format=ssh -c "user.signingKey=$work/$kind"
done

# The same for another namespace than Git's.
sed '/^gpgsig/,/^ -----END/d' "$out/ssh-ed25519.commit" >payload
ssh-keygen -q -Y sign -n file -f "$work/ed25519" payload
{ sed '/^$/,$d' payload; printf 'gpgsig'; sed 's/^/ /' payload.sig; sed -n '/^$/,$p' payload; } >"$out/ssh-namespace.commit"

# What GnuPG believes the time to be, and how it is called then.
at() { faked=$1; }
gnupg() { gpg --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' --faked-system-time "$faked!" "$@"; }
gpg_commit() {
  local name=$1 time=$2 key=$3
  shift 3
  printf '#!/bin/sh\nexec gpg --batch --quiet --pinentry-mode loopback --passphrase "" --faked-system-time %s! %s "$@"\n' \
    "$faked" "$*" >"$work/program"
  chmod +x "$work/program"
  commit "$name" "$time" -c "gpg.program=$work/program" -c "user.signingKey=$key"
}
print_of() { gnupg --list-keys --with-colons "$1" | awk -F: '/^fpr/ { print $10 }' | sed -n "${2:-1}p"; }

at 20250101T000000
gnupg --quick-generate-key 'rsa <rsa@example.com>' rsa3072 sign never
gnupg --quick-generate-key 'sub <sub@example.com>' ed25519 cert never
gnupg --quick-add-key "$(print_of sub@example.com)" ed25519 sign never
gnupg --quick-generate-key 'revoked <revoked@example.com>' ed25519 sign never
gnupg --quick-generate-key 'revokedsub <revokedsub@example.com>' ed25519 cert never
gnupg --quick-add-key "$(print_of revokedsub@example.com)" ed25519 sign never
gnupg --quick-generate-key 'unknown <unknown@example.com>' ed25519 sign never
gnupg --quick-generate-key 'expiring <expiring@example.com>' ed25519 sign 2026-06-01

at 20260101T000000
for name in rsa sub revoked revokedsub unknown expiring; do
  key=$(print_of $name@example.com)
  case $name in *sub) key=$(print_of $name@example.com 2)! ;; esac
  gpg_commit "openpgp-$name" $now "$key"
done
gpg_commit openpgp-sha1 $now "$(print_of rsa@example.com)" --digest-algo SHA1 --allow-weak-digest-algos
# GnuPG refuses what it would not believe; the date in a signature is for its maker to choose.
at 20130101T000000
gnupg --quick-generate-key 'old <old@example.com>' rsa2048 sign never
gpg_commit openpgp-sha1-old 1356998400 "$(print_of old@example.com)" --digest-algo SHA1 --allow-weak-digest-algos

at 20260201T000000
revocation=$GNUPGHOME/openpgp-revocs.d/$(print_of revoked@example.com).rev
sed -i 's/^:-----/-----/' "$revocation"
gnupg --import "$revocation"
# Revoking the subkey asks questions.
printf 'key 1\nrevkey\ny\n0\n\ny\nsave\n' |
  gpg --quiet --no-tty --pinentry-mode loopback --passphrase '' --command-fd 0 --status-fd 2 --faked-system-time "$faked!" \
    --edit-key "$(print_of revokedsub@example.com)" 2>/dev/null
for name in rsa sub revoked revokedsub expiring old; do
  gnupg --armor --export "$name@example.com" >"$out/$name.asc"
done

for name in ssh-ed25519 ssh-ecdsa-256 ssh-rsa-3072; do
  id=$(git hash-object -t commit -w "$out/$name.commit")
  git -c gpg.ssh.allowedSignersFile="$out/allowed_signers" verify-commit "$id"
done
for name in openpgp-rsa openpgp-sub; do
  git verify-commit "$(git hash-object -t commit -w "$out/$name.commit")"
done
