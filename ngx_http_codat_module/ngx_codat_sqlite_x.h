
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 1.  The statements of the SQLite store: X(NAME, SQL).  Those on rows
 * are made of their columns, see ngx_codat_sqlite_schema.c.
 */


X(BEGIN, "BEGIN IMMEDIATE")
X(READ, "BEGIN")
X(COMMIT, "COMMIT")

X(VERSION_GET, "SELECT value FROM meta WHERE key = 'row_version'")
X(VERSION_SET, "UPDATE meta SET value = ?1 WHERE key = 'row_version'")

/* events */

X(EVENT_FIND,
  "SELECT id, state, succeeded, attempts, origin, lease, received,"
  " body_digest, routes FROM event WHERE dedupe = ?1")

X(EVENT_FORGET, "UPDATE event SET dedupe = NULL WHERE id = ?1")

X(EVENT_ADD,
  "INSERT INTO event (dedupe, event_id, webhook_id, type, company,"
  " connection, push_key, client, endpoint, received, generated, state,"
  " attempts, succeeded, routes, origin, lease, stale, reference, headers,"
  " host, uri, body_digest, body, fanout, tags)"
  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, 0, ?22,"
  " ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?23, ?24)")

X(EVENT_AGAIN,
  "UPDATE event SET state = ?2, attempts = attempts + 1, origin = ?3,"
  " lease = ?4, stale = ?5, reference = ?6, routes = ?7, fanout = ?8,"
  " succeeded = CASE WHEN routes = ?7 THEN succeeded ELSE 0 END"
  " WHERE id = ?1")

X(EVENT_DONE,
  "UPDATE event SET state = ?2, succeeded = succeeded | ?3, lease = 0,"
  " fanout = CASE WHEN ?4 AND state <> 'accepted' THEN 1 ELSE fanout END"
  " WHERE id = ?1")

/* what a list is looked for with, see ngx_codat_sqlite_select.c */

X(EVENT_SCAN,
  "SELECT id, type, received FROM event WHERE id <= ?1 ORDER BY id DESC")

X(EVENT_LOOK, "SELECT type, received FROM event WHERE id = ?1")

X(COMPANY_NEWEST,
  "SELECT id FROM event INDEXED BY event_company"
  " WHERE company = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1")

X(TYPE_NEWEST,
  "SELECT id FROM event INDEXED BY event_type"
  " WHERE type = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1")

X(STATE_NEWEST,
  "SELECT event FROM delivery INDEXED BY delivery_state"
  " WHERE state = ?1 AND event <= ?2 ORDER BY event DESC LIMIT 1")

X(EVENT_NAMED,
  "SELECT max(id) FROM (SELECT id FROM event WHERE event_id = ?1"
  " UNION ALL SELECT id FROM event WHERE webhook_id = ?1)")

X(EVENT_EXISTS, "SELECT 1 FROM event WHERE id = ?1")

X(EVENT_GET,
  "SELECT id, event_id, webhook_id, type, company, connection, push_key,"
  " client, endpoint, received, generated, stale, reference, body, headers,"
  " host, uri FROM event WHERE id = ?1")

X(EVENT_PRUNE,
  "DELETE FROM event WHERE id IN (SELECT e.id FROM event e"
  " WHERE e.received < ?1 AND e.fanout = 0"
  " AND NOT EXISTS (SELECT 1 FROM delivery d"
  " WHERE d.event = e.id AND d.state IN ('pending', 'blocked'))"
  " AND NOT EXISTS (SELECT 1 FROM consumer_delivery d"
  " WHERE d.event = e.id AND d.state = 'pending')"
  " ORDER BY e.received LIMIT ?2)")

/* deliveries */

X(DELIVERY_BEHIND,
  "SELECT 1 FROM delivery WHERE route = ?1 AND order_key = ?2"
  " AND state IN ('pending', 'blocked') AND order_key IS NOT NULL LIMIT 1")

X(DELIVERY_RUNNING,
  "SELECT count(*) FROM delivery WHERE route = ?1 AND state = 'pending'"
  " AND owner <> 0 AND lease > ?2")

X(DELIVERY_WAITING,
  "SELECT 1 FROM delivery WHERE route = ?1 AND state = 'pending'"
  " AND owner = 0 AND next_at <= ?2 LIMIT 1")

X(DELIVERY_ADD,
  "INSERT INTO delivery (event, route, nonce, order_key, state, attempts,"
  " next_at, owner, lease) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8)")

X(DELIVERY_GET,
  "SELECT state, route, order_key, owner FROM delivery WHERE id = ?1")

X(DELIVERY_RESULT,
  "UPDATE delivery SET state = ?2, attempts = attempts + 1, next_at = ?3,"
  " finished = ?4, last_status = ?5, last_error = ?6, owner = 0, lease = 0"
  " WHERE id = ?1")

X(DELIVERY_UNBLOCK,
  "UPDATE delivery SET state = 'pending' WHERE id = ("
  "SELECT id FROM delivery WHERE route = ?1 AND order_key = ?2"
  " AND state IN ('pending', 'blocked') AND order_key IS NOT NULL"
  " ORDER BY id LIMIT 1) AND state = 'blocked'")

X(DELIVERY_EXPIRED,
  "UPDATE delivery SET owner = 0, lease = 0 WHERE state = 'pending'"
  " AND owner <> 0 AND route = ?1 AND lease <= ?2")

X(DELIVERY_DUE,
  "SELECT id, event, attempts, nonce, order_key, next_at FROM delivery"
  " WHERE route = ?1 AND state = 'pending' AND owner = 0 AND next_at <= ?2"
  " ORDER BY next_at, id LIMIT ?3")

X(DELIVERY_NEXT,
  "SELECT min(next_at) FROM delivery WHERE route = ?1"
  " AND state = 'pending' AND owner = 0 AND next_at > ?2")

X(DELIVERY_LEASE,
  "UPDATE delivery SET owner = ?2, lease = ?3 WHERE id = ?1")

X(DELIVERY_RELEASE,
  "UPDATE delivery SET owner = 0, lease = 0 WHERE state = 'pending'"
  " AND owner = ?1")

X(DELIVERY_OF,
  "SELECT id, route, nonce, state, attempts, next_at, finished, last_status,"
  " last_error FROM delivery WHERE event = ?1 ORDER BY id")

X(DELIVERY_LIVE,
  "SELECT 1 FROM delivery WHERE event = ?1 AND route = ?2"
  " AND state IN ('pending', 'blocked') LIMIT 1")

X(DELIVERY_REVIVE,
  "UPDATE delivery SET state = ?5, nonce = ?3, order_key = ?6, attempts = 0,"
  " next_at = ?4, finished = NULL WHERE id = (SELECT max(id) FROM delivery"
  " WHERE event = ?1 AND route = ?2 AND state = 'dead')")

X(DELIVERY_OPEN,
  "SELECT id, route, order_key FROM delivery WHERE event = ?1"
  " AND (state = ?2 OR (?2 IS NULL AND state IN ('pending', 'blocked')))"
  " LIMIT 1")

X(DELIVERY_CANCEL,
  "UPDATE delivery SET state = 'canceled', finished = ?2, owner = 0,"
  " lease = 0 WHERE id = ?1")

/* forwards: "route NAME" in meta is when an nginx has known one last */

X(ROUTE_KNOWN, "SELECT value FROM meta WHERE key = 'route ' || ?1")

X(ROUTE_KNOW,
  "INSERT INTO meta VALUES ('route ' || ?1, ?2)"
  " ON CONFLICT (key) DO UPDATE SET value = excluded.value")

X(ROUTE_FORGET,
  "DELETE FROM meta WHERE key > 'route ' AND key < 'route!' AND value < ?1")

X(ROUTE_DUE,
  "SELECT min(route) FROM delivery INDEXED BY delivery_due"
  " WHERE route > ?1 AND state = 'pending'"
  " AND owner = 0")

X(ROUTE_LEASED,
  "SELECT min(route) FROM delivery INDEXED BY delivery_leased"
  " WHERE route > ?1 AND state = 'pending'"
  " AND owner <> 0")

/* those that wait for others first: they must not go on in their place */

X(ROUTE_END_BLOCKED,
  "UPDATE delivery SET state = 'dead', finished = ?2, last_error = ?3"
  " WHERE id IN (SELECT id FROM delivery WHERE route = ?1"
  " AND state IN ('pending', 'blocked') AND order_key IS NOT NULL"
  " AND state = 'blocked' LIMIT ?4)")

X(ROUTE_END,
  "UPDATE delivery SET state = 'dead', finished = ?2, last_error = ?3"
  " WHERE id IN (SELECT id FROM delivery WHERE route = ?1"
  " AND state = 'pending' AND owner = 0 LIMIT ?4)")

/* the same of consumers */

X(CONSUMERS_WAIT,
  "SELECT EXISTS (SELECT 1 FROM event WHERE fanout = 1)"
  " OR EXISTS (SELECT 1 FROM consumer_delivery"
  " INDEXED BY consumer_delivery_due WHERE state = 'pending' AND owner = 0)"
  " OR EXISTS (SELECT 1 FROM consumer_delivery"
  " INDEXED BY consumer_delivery_leased"
  " WHERE state = 'pending' AND owner <> 0)")

X(CONSUMERS_EXPIRED,
  "UPDATE consumer_delivery SET owner = 0, lease = 0 WHERE id IN ("
  "SELECT id FROM consumer_delivery INDEXED BY consumer_delivery_leased"
  " WHERE state = 'pending' AND owner <> 0 AND lease <= ?1)")

X(CONSUMERS_END_FANOUT,
  "UPDATE event SET fanout = 0 WHERE id IN ("
  "SELECT id FROM event WHERE fanout = 1 LIMIT ?1)")

X(CONSUMERS_END,
  "UPDATE consumer_delivery SET state = 'dead', next_at = NULL,"
  " finished = ?1, last_error = ?2 WHERE id IN ("
  "SELECT id FROM consumer_delivery INDEXED BY consumer_delivery_due"
  " WHERE state = 'pending' AND owner = 0 LIMIT ?3)")

/* "clock" in meta is the latest time that an nginx has seen */

X(CLOCK_GET, "SELECT value FROM meta WHERE key = 'clock'")

X(CLOCK_SET, "INSERT OR REPLACE INTO meta VALUES ('clock', ?1)")

X(CLOCK_NEXT,
  "UPDATE delivery SET next_at = next_at - ?1 WHERE state = 'pending'")

X(CLOCK_LEASE,
  "UPDATE delivery SET lease = lease - ?1 WHERE state = 'pending'"
  " AND owner <> 0")

X(CLOCK_DISPATCH,
  "UPDATE consumer_delivery SET next_at = next_at - ?1,"
  " lease = max(lease - ?1, 0) WHERE state = 'pending'")

X(CLOCK_CONSUMER,
  "UPDATE consumer SET rate_at = max(rate_at - ?1, 0) WHERE rate_at > 0")

X(CLOCK_TURN, "UPDATE consumer_turn SET next_at = next_at - ?1")

X(CLOCK_RUNNING,
  "UPDATE event SET lease = lease - ?1 WHERE received > ?2"
  " AND state = 'running'")

/*
 * Figures of large tables are counted a part at a time: where that many ends,
 * and how many there are up to there, which is more if several are alike.
 */

X(EVENT_PART,
  "SELECT max(received) FROM (SELECT received FROM event"
  " INDEXED BY event_received WHERE received > ?1 ORDER BY received"
  " LIMIT ?2)")

X(EVENT_COUNT,
  "SELECT count(*) FROM event INDEXED BY event_received"
  " WHERE received > ?1 AND received <= ?2")

X(DELIVERY_PART,
  "SELECT max(event) FROM (SELECT event FROM delivery"
  " INDEXED BY delivery_state WHERE state = ?3 AND event > ?1"
  " ORDER BY event LIMIT ?2)")

X(DELIVERY_COUNT,
  "SELECT count(*) FROM delivery INDEXED BY delivery_state"
  " WHERE state = ?3 AND event > ?1 AND event <= ?2")

X(DELIVERY_OLDEST,
  "SELECT min(received) FROM event WHERE id = (SELECT min(n) FROM ("
  "SELECT min(event) AS n FROM delivery WHERE state = 'pending'"
  " UNION ALL"
  " SELECT min(event) FROM delivery WHERE state = 'blocked'))")

/* rows */

X(PUSH_FORGET, "DELETE FROM push WHERE id = ?1")

/* from the longest unchanged on */

X(PUSH_OLD,
  "SELECT id, version, touched, state > 1 FROM push WHERE version > ?1"
  " ORDER BY version LIMIT ?2")

/* consumers */

X(CONSUMER_GET,
  "SELECT id, uid, client, url, secret, event_types, company_tags, format,"
  " rate, created, disabled, disabled_reason, disabled_at, failing,"
  " succeeded, last_status, last_error FROM consumer"
  " WHERE uid = ?1 AND (?2 IS NULL OR client = ?2)")

X(CONSUMER_LIST,
  "SELECT id, uid, client, url, secret, event_types, company_tags, format,"
  " rate, created, disabled, disabled_reason, disabled_at, failing,"
  " succeeded, last_status, last_error FROM consumer"
  " WHERE id > ?1 AND (?2 IS NULL OR client = ?2) ORDER BY id LIMIT ?3")

X(CONSUMER_ADD,
  "INSERT INTO consumer (uid, client, url, secret, event_types,"
  " company_tags, format, rate, disabled, disabled_reason, disabled_at,"
  " created, slow, rate_at)"
  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, 0)")

X(CONSUMER_SET,
  "UPDATE consumer SET url = ?3, secret = ?4, event_types = ?5,"
  " company_tags = ?6, format = ?7, rate = ?8, disabled = ?9,"
  " disabled_reason = ?10, disabled_at = ?11, failing = ?13,"
  " slow = CASE WHEN ?14 THEN 1 ELSE slow END, rate_at = 0"
  " WHERE uid = ?1")

X(CONSUMER_CANCEL,
  "UPDATE consumer_delivery SET state = 'canceled', finished = ?2"
  " WHERE consumer = ?1 AND state = 'pending' AND owner = 0")

X(CONSUMER_CANCEL_LEASED,
  "UPDATE consumer_delivery SET state = 'canceled', finished = ?2,"
  " owner = 0, lease = 0"
  " WHERE consumer = ?1 AND state = 'pending' AND owner <> 0")

X(CONSUMER_DROP, "DELETE FROM consumer WHERE id = ?1")

X(CONSUMER_GROWN,
  "UPDATE meta SET value = value + 1 WHERE key = 'consumer_version'")

X(KEY_GET, "SELECT hash FROM integration_key WHERE name = ?1")

X(KEY_SET, "INSERT OR REPLACE INTO integration_key VALUES (?1, ?2, ?3)")

/* which events go to whom */

X(CONSUMER_VERSION, "SELECT value FROM meta WHERE key = 'consumer_version'")

X(CONSUMER_WISHES,
  "SELECT id, uid, client, url, secret, event_types, company_tags, format,"
  " rate, created, disabled, disabled_reason, disabled_at, failing,"
  " succeeded, last_status, last_error FROM consumer"
  " WHERE disabled = 0 AND id > ?1 ORDER BY id LIMIT ?2")

X(FANOUT_SCAN,
  "SELECT id, type, company, client, tags, coalesce(generated, received)"
  " FROM event WHERE fanout = 1 ORDER BY id LIMIT ?1")

X(FANOUT_DONE, "UPDATE event SET fanout = 0 WHERE id = ?1")

X(TAGS_GET, "SELECT tags FROM company_tags WHERE company = ?1")

X(TAGS_SET,
  "INSERT INTO company_tags VALUES (?1, ?2, ?3) ON CONFLICT (company)"
  " DO UPDATE SET tags = excluded.tags, updated = excluded.updated"
  " WHERE excluded.updated >= updated")

X(CONSUMER_DELIVERY_ADD,
  "INSERT INTO consumer_delivery (consumer, event, nonce, state, attempts,"
  " next_at, owner, lease) VALUES (?1, ?2, ?3, 'pending', 0, ?4, 0, 0)"
  " ON CONFLICT DO NOTHING")

X(CONSUMER_WAKE,
  "INSERT INTO consumer_turn SELECT id, slow, max(?2, rate_at)"
  " FROM consumer WHERE id = ?1 AND disabled = 0"
  " ON CONFLICT (consumer) DO UPDATE SET next_at = excluded.next_at"
  " WHERE excluded.next_at < next_at")

X(REPLAY_FIRST,
  "SELECT coalesce(min(id), 0) FROM (SELECT id FROM event"
  " WHERE received >= ?1 ORDER BY received LIMIT 1000)")

X(REPLAY_SCAN,
  "SELECT id, type, company, client, tags, coalesce(generated, received)"
  " FROM event WHERE id > ?1 AND received >= ?2 AND state = 'accepted'"
  " AND fanout = 0 ORDER BY id LIMIT ?3")

X(CONSUMER_DELIVERY_OF,
  "SELECT count(*), coalesce(sum(state IN ('pending', 'delivered')), 0)"
  " FROM consumer_delivery WHERE consumer = ?1 AND event = ?2")

/* t: the types there are, each by one step in their index */

#define NGX_CODAT_SQLITE_EACH_TYPE                                            \
    "WITH RECURSIVE t (type) AS (SELECT min(type) FROM event UNION ALL"       \
    " SELECT (SELECT min(type) FROM event e WHERE e.type > t.type) FROM t"    \
    " WHERE t.type IS NOT NULL)"

X(EVENT_NEWEST,
  NGX_CODAT_SQLITE_EACH_TYPE
  " SELECT type, (SELECT received FROM event e WHERE e.type = t.type"
  " ORDER BY id DESC LIMIT 1) FROM t WHERE type IS NOT NULL LIMIT ?1")

X(EVENT_TYPES,
  NGX_CODAT_SQLITE_EACH_TYPE
  " SELECT type FROM t WHERE type IS NOT NULL")

X(SAMPLE_SCAN,
  "SELECT id FROM event WHERE type = ?1 AND state = 'accepted'"
  " AND (?2 IS NULL OR client IS NULL OR client = ?2)"
  " ORDER BY id DESC LIMIT ?3")

/* deliveries to them */

X(DISPATCH_EXPIRED,
  "SELECT DISTINCT consumer FROM consumer_delivery"
  " INDEXED BY consumer_delivery_leased"
  " WHERE state = 'pending' AND owner <> 0 AND lease <= ?1")

X(DISPATCH_FREE,
  "UPDATE consumer_delivery SET owner = 0, lease = 0 WHERE consumer = ?1"
  " AND state = 'pending' AND owner <> 0 AND lease <= ?2")

X(DISPATCH_DUE,
  "SELECT consumer FROM consumer_turn WHERE slow = ?1 AND next_at <= ?2"
  " ORDER BY next_at LIMIT ?3")

X(DISPATCH_NEXT,
  "SELECT min(next_at) FROM consumer_turn WHERE slow = ?1 AND next_at > ?2")

X(CONSUMER_BY_ID,
  "SELECT id, uid, client, url, secret, event_types, company_tags, format,"
  " rate, created, disabled, disabled_reason, disabled_at, failing,"
  " succeeded, last_status, last_error FROM consumer"
  " WHERE id = ?1")

X(CONSUMER_PACE, "SELECT slow, rate_at FROM consumer WHERE id = ?1")

X(CONSUMER_PACED, "UPDATE consumer SET rate_at = ?2 WHERE id = ?1")

X(CONSUMER_RUNNING,
  "SELECT count(*) FROM consumer_delivery WHERE consumer = ?1"
  " AND state = 'pending' AND owner <> 0")

X(DISPATCH_OF,
  "SELECT id, event, attempts, nonce FROM consumer_delivery"
  " WHERE consumer = ?1 AND state = 'pending' AND owner = 0"
  " AND next_at <= ?2 ORDER BY next_at, id LIMIT ?3")

X(DISPATCH_LEASE,
  "UPDATE consumer_delivery SET owner = ?2, lease = ?3 WHERE id = ?1")

X(DISPATCH_RELEASE,
  "UPDATE consumer_delivery SET owner = 0, lease = 0 WHERE id IN ("
  "SELECT id FROM consumer_delivery INDEXED BY consumer_delivery_leased"
  " WHERE state = 'pending' AND owner <> 0 AND owner = ?1)")

X(DISPATCH_OWNED,
  "SELECT DISTINCT consumer FROM consumer_delivery"
  " INDEXED BY consumer_delivery_leased"
  " WHERE state = 'pending' AND owner <> 0 AND owner = ?1")

/* 4 at a time, or 1 */

X(TURN_END, "DELETE FROM consumer_turn WHERE consumer = ?1")

X(TURN_NEXT,
  "INSERT INTO consumer_turn SELECT c.id, c.slow, max(c.rate_at, ("
  "SELECT min(d.next_at) FROM consumer_delivery d WHERE d.consumer = c.id"
  " AND d.state = 'pending' AND d.owner = 0))"
  " FROM consumer c WHERE c.id = ?1 AND c.disabled = 0"
  " AND EXISTS (SELECT 1 FROM consumer_delivery d WHERE d.consumer = c.id"
  " AND d.state = 'pending' AND d.owner = 0)"
  " AND (SELECT count(*) FROM consumer_delivery d WHERE d.consumer = c.id"
  " AND d.state = 'pending' AND d.owner <> 0)"
  " < (CASE c.slow WHEN 1 THEN 1 ELSE 4 END)")

X(DISPATCHED_GET,
  "SELECT consumer, state, owner FROM consumer_delivery WHERE id = ?1")

X(DISPATCHED_SET,
  "UPDATE consumer_delivery SET state = ?2, attempts = attempts + 1,"
  " next_at = ?3, finished = ?4, last_status = ?5, last_error = ?6,"
  " owner = 0, lease = 0 WHERE id = ?1")

/* a success more is not worth a page; usec */

X(CONSUMER_ANSWERED,
  "UPDATE consumer SET failing = NULL, succeeded = ?2, slow = ?3,"
  " last_status = ?4, last_error = NULL WHERE id = ?1"
  " AND (failing IS NOT NULL OR succeeded IS NULL OR slow <> ?3"
  " OR succeeded + 60000000 < ?2)")

X(CONSUMER_FAILED,
  "UPDATE consumer SET failing = coalesce(failing, ?2), slow = 1,"
  " last_status = ?3, last_error = ?4 WHERE id = ?1")

X(CONSUMER_HOPELESS,
  "SELECT 1 FROM consumer WHERE id = ?1 AND disabled = 0 AND failing <= ?2")

X(CONSUMER_DISABLE,
  "UPDATE consumer SET disabled = 1, disabled_reason = 'failures',"
  " disabled_at = ?2 WHERE id = ?1")

X(CONSUMER_COUNT,
  "SELECT count(*), coalesce(sum(disabled), 0),"
  " coalesce(sum(disabled = 0 AND failing IS NOT NULL), 0) FROM consumer")

X(CONSUMER_PENDING,
  "SELECT count(*) FROM consumer_delivery"
  " INDEXED BY consumer_delivery_due WHERE state = 'pending' AND owner = 0")

X(CONSUMER_LEASED,
  "SELECT count(*) FROM consumer_delivery"
  " INDEXED BY consumer_delivery_leased"
  " WHERE state = 'pending' AND owner <> 0")
