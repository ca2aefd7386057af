
/*
 * Copyright (C) the authors of the Codat module
 *
 * The catalogue of metrics: the one list that counters, the page of metrics
 * and the documentation agree on.
 *
 *     X(NAME, "metric", type, "help")
 *
 * Order is the order on the page.  A metric "in the table" is counted by
 * ngx_codat_stats_add() under the labels a, b and c that its comment names;
 * the others are read from where the zone has them.
 */


/* in the table: type of event, generation, result */
X(EVENTS,               "codat_events_total",                     counter,
  "Authenticated events received, copies of repeated messages included.")

/* in the table, raised by ngx_codat_stats_max(): type of event */
X(LAST_EVENT,           "codat_last_event_timestamp_seconds",     gauge,
  "Time at which an event of this type was received last.")

/* in the table: problem */
X(REFUSED,              "codat_refused_webhooks_total",           counter,
  "Webhooks that were answered with a problem, by its code.")

/* in the table: problem, kind of credential */
X(CREDENTIAL_FAILURES,  "codat_credential_failures_total",        counter,
  "Webhooks refused because of a missing or wrong credential.")

/* in the table: 0, 0, outcome; with a hash of the forward */
X(FORWARDS,             "codat_forwards_total",                   counter,
  "Forwards to the application, by what became of them.")

/* in the table: 0, 0, bucket or sum; with a hash of the forward */
X(FORWARD_DURATION,     "codat_forward_duration_seconds",         histogram,
  "Time that forwards took, until the application had answered.")

/* in the table */
X(STALE,                "codat_stale_events_total",               counter,
  "Events older than what the table already knew.")

/* in the table */
X(TRANSITIONS_REFUSED,  "codat_refused_transitions_total",        counter,
  "Reports of a status that a push can't change to.")

/* in the table */
X(CONFLICTS,            "codat_id_conflicts_total",               counter,
  "Messages whose id was seen before with another body.")

/* in the table: an enum of ring 2 */
X(TRACKED,              "codat_tracked_total",                    counter,
  "What was done about calls to Codat's API.")

X(ROWS,                 "codat_rows",                             gauge,
  "Rows in the zone, by kind.")

X(PUSHES,               "codat_pushes",                           gauge,
  "Push operations in the zone, by status.")

X(CONNECTIONS,          "codat_connections",                      gauge,
  "Connections in the zone, by status.")

/* in the table: ngx_codat_row_kind_e */
X(EVICTED,              "codat_evicted_rows_total",               counter,
  "Rows forgotten before their time, because the zone was full.")

/* in the table: ngx_codat_row_kind_e */
X(UNSTORED,             "codat_unstored_rows_total",              counter,
  "Rows not remembered, because the zone was full.")

/* in the table */
X(REPAIRED,             "codat_zone_repairs_total",               counter,
  "Repairs of the zone after a worker died while changing it.")

X(ZONE_SIZE,            "codat_zone_size_bytes",                  gauge,
  "Shared memory of the zone.")

X(ZONE_USED,            "codat_zone_used_bytes",                  gauge,
  "Memory of rows in use.")

X(ZONE_FREE,            "codat_zone_free_bytes",                  gauge,
  "Memory of rows not in use.")

X(ZONE_CREATED,         "codat_zone_created_timestamp_seconds",   gauge,
  "Time at which the zone, and with it all counters, began empty.")

X(RECENT,               "codat_recent_events_total",              counter,
  "Events put into the list of recent events.")

X(UNLISTED,             "codat_unlisted_events_total",            counter,
  "Events too large for the list of recent events.")

X(WAITERS,              "codat_waiters",                          gauge,
  "Requests that wait for a row to change.")

/* these of zones with a store alone, as the store said it last */
X(STORE_DELIVERIES,     "codat_store_deliveries",                 gauge,
  "Deliveries in the store, by state.")

X(STORE_EVENTS,         "codat_store_events",                     gauge,
  "Events in the store.")

X(STORE_OLDEST,         "codat_store_oldest_seconds",             gauge,
  "Age of the oldest event with a delivery that is not over, 0 if none.")

X(STORE_SIZE,           "codat_store_size_bytes",                 gauge,
  "Size of the database and its log.")

X(STORE_WAITING,        "codat_store_waiting_units",              gauge,
  "Units of work that wait for the store, in all workers.")

X(STORE_FAILURES,       "codat_store_failures_total",             counter,
  "Units of work that the store did not do.")

X(STORE_LOADED,         "codat_store_loaded",                     gauge,
  "Whether the zone has what the store knows, 1 or 0.")

/* these of zones with consumers alone; in the table: 0, 0, outcome */
X(CONSUMER_ATTEMPTS,    "codat_consumer_attempts_total",          counter,
  "Attempts to deliver an event to a consumer, by what became of them.")

/* in the table */
X(CONSUMER_FANOUT,      "codat_consumer_deliveries_total",        counter,
  "Deliveries made of accepted events, one for each consumer.")

/* as the store said it last */
X(CONSUMERS,            "codat_consumers",                        gauge,
  "Consumers, by state.")

X(CONSUMER_PENDING,     "codat_consumer_pending",                 gauge,
  "Deliveries to consumers that are not over.")

X(LOST,                 "codat_uncounted_total",                  counter,
  "Things not counted in this zone, because its counters were used up.")

X(INFO,                 "codat_module_info",                      gauge,
  "Versions of the module and of nginx, the value is 1.")
