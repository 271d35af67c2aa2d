#!/bin/sh
# Runs once, when the database is made: the three roles, and a database that only they may use.
set -eu
psql --set ON_ERROR_STOP=1 --username postgres \
    --set owner="$OWNER_PASSWORD" --set indexer="$INDEXER_PASSWORD" --set reader="$READER_PASSWORD" <<'SQL'
create role chert_owner login password :'owner';
create role chert_indexer login password :'indexer';
create role chert_reader login password :'reader';
grant chert_indexer, chert_reader to chert_owner;
create database chert owner chert_owner;
revoke all on database chert from public;
grant connect on database chert to chert_owner, chert_indexer, chert_reader;
SQL
