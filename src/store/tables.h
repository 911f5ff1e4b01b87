#pragma once
// The tables of accounts.db, in the steps in which they came to be. A step that has been released
// is never changed: what is new is a step of its own.

#include "store/database.h"

namespace muster::store {

inline constexpr Migration account_tables[] = {
    // AUTOINCREMENT: the id of a deleted account is not given to a new one. TEXT compares as bytes.
    {"accounts",
     "CREATE TABLE accounts ("
     " id INTEGER PRIMARY KEY AUTOINCREMENT,"
     " name TEXT NOT NULL UNIQUE,"
     " password_hash TEXT NOT NULL,"
     " created_at INTEGER NOT NULL) STRICT"},
    // A match is known by its id and when it began, which together are unique over all lobbies on
    // the folder. `at_least` is what leaderboards go by: the mean less so many deviations that it
    // is nearly certain.
    {"ratings, results, seasons, bans",
     "CREATE TABLE ratings ("
     " queue TEXT NOT NULL,"
     " account INTEGER NOT NULL REFERENCES accounts (id),"
     " mean REAL NOT NULL,"
     " deviation REAL NOT NULL,"
     " volatility REAL NOT NULL,"
     " at_least REAL NOT NULL,"
     " matches INTEGER NOT NULL,"
     " PRIMARY KEY (queue, account)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX ratings_by_place ON ratings (queue, at_least DESC, account);"
     "CREATE INDEX ratings_by_account ON ratings (account);"
     "CREATE TABLE results ("
     " id INTEGER PRIMARY KEY,"
     " match TEXT NOT NULL,"
     " started_ms INTEGER NOT NULL,"
     " ended_ms INTEGER NOT NULL,"
     " queue TEXT NOT NULL,"
     " season INTEGER NOT NULL,"
     " system TEXT NOT NULL,"
     " rated INTEGER NOT NULL,"
     " UNIQUE (match, started_ms)) STRICT;"
     "CREATE TABLE result_players ("
     " result INTEGER NOT NULL REFERENCES results (id),"
     " position INTEGER NOT NULL,"
     " account INTEGER,"
     " name TEXT NOT NULL,"
     " team INTEGER NOT NULL,"
     " rank INTEGER NOT NULL,"
     " score INTEGER,"
     " played INTEGER NOT NULL,"
     " mean_before REAL,"
     " mean REAL,"
     " deviation REAL,"
     " PRIMARY KEY (result, position)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX result_players_by_account ON result_players (account, result)"
     " WHERE account IS NOT NULL;"
     "CREATE TABLE seasons ("
     " queue TEXT NOT NULL,"
     " number INTEGER NOT NULL,"
     " ended_at INTEGER NOT NULL,"
     " PRIMARY KEY (queue, number)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE season_ratings ("
     " queue TEXT NOT NULL,"
     " season INTEGER NOT NULL,"
     " account INTEGER NOT NULL,"
     " mean REAL NOT NULL,"
     " deviation REAL NOT NULL,"
     " at_least REAL NOT NULL,"
     " matches INTEGER NOT NULL,"
     " PRIMARY KEY (queue, season, account)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE bans ("
     " account INTEGER PRIMARY KEY REFERENCES accounts (id),"
     " reason TEXT NOT NULL,"
     " banned_at INTEGER NOT NULL,"
     " until INTEGER) STRICT"},
};

}  // namespace muster::store
