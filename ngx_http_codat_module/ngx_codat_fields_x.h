
/*
 * Copyright (C) the authors of the Codat module
 *
 * The catalogue of an event's fields: the one list that the event, the
 * normalised payload, the variables and the documentation agree on.
 *
 *     X(NAME, "key in data", "name behind $codat_")
 *
 * A key of "" is a field that "data" does not carry.  Order is the order in
 * the payload.  Where each field comes from is in ngx_codat_event.c.
 */


X(ID,                    "",                          "event_id")
X(EVENT_TYPE,            "eventType",                 "event_type")
X(RECEIVED_TYPE,         "receivedType",              "received_type")
X(GENERATION,            "generation",                "generation")
X(CLIENT_ID,             "clientId",                  "client_id")
X(COMPANY_ID,            "companyId",                 "company_id")
X(COMPANY_NAME,          "companyName",               "company_name")
X(CONNECTION_ID,         "connectionId",              "connection_id")
X(CONNECTION_STATUS,     "connectionStatus",          "connection_status")
X(PREVIOUS_STATUS,       "previousConnectionStatus",
                                              "previous_connection_status")
X(INTEGRATION_KEY,       "integrationKey",            "integration_key")
X(PLATFORM_NAME,         "platformName",              "platform_name")
X(SOURCE_TYPE,           "sourceType",                "source_type")
X(DATA_TYPE,             "dataType",                  "data_type")
X(DATA_STATUS,           "dataStatus",                "data_status")
X(PUSH_KEY,              "pushOperationKey",          "push_key")
X(PUSH_STATUS,           "pushStatus",                "push_status")
X(PUSH_TYPE,             "pushType",                  "push_type")
X(RECORD_ID,             "recordId",                  "record_id")
X(ATTACHMENT_ID,         "attachmentId",              "attachment_id")
X(ERROR_MESSAGE,         "errorMessage",              "error_message")
X(MESSAGE,               "message",                   "message")
X(SYNC_ID,               "syncId",                    "sync_id")
X(REFERENCE,             "reference",                 "reference")
X(GENERATED_AT,          "",                          "generated_at")
