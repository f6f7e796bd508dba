#!/bin/sh
# Makes deploy/.env of deploy/.env.example: each <hex N> becomes N random bytes. Never overwrites one.
set -eu
cd "$(dirname "$0")"
if [ -e .env ]; then
  echo 'deploy/.env is there already; its secrets may be in use.' >&2
  exit 1
fi
umask 077
trap 'rm -f .env.new' EXIT
while IFS= read -r line; do
  case $line in
    '#'* | '') ;;
    *'<hex '*'>')
      size=${line##*<hex }
      random=$(openssl rand -hex "${size%>}")
      line=${line%%<hex *}$random
      ;;
  esac
  printf '%s\n' "$line"
done <.env.example >.env.new
mv .env.new .env
echo 'Made deploy/.env. Set BETTERTOKEN_API_KEY in it.'
