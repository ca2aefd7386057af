
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the map of webhook bodies, see ngx_codat_paths.h.  Static
 * and constant.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_paths.h"


#define ngx_codat_path_leaf(key, slot)                                        \
    { ngx_string(key), slot, slot + 1, NULL, 0 }

#define ngx_codat_path_first(key, slot)                                       \
    { ngx_string(key), slot, slot + 1, NULL, NGX_CODAT_JSON_FIRST }

#define ngx_codat_path_tree(key, slot, members, any)                          \
    { ngx_string(key), slot, slot##_END, members, any }

#define ngx_codat_path_end                                                    \
    { ngx_null_string, 0, 0, NULL, 0 }


static const ngx_codat_json_path_t  ngx_codat_path_record[] = {
    ngx_codat_path_leaf("id", NGX_CODAT_IN_R_ID),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_reference[] = {
    ngx_codat_path_leaf("id", NGX_CODAT_IN_C_ID),
    ngx_codat_path_leaf("name", NGX_CODAT_IN_C_NAME),
    ngx_codat_path_leaf("tags", NGX_CODAT_IN_C_TAGS),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_errors[] = {
    ngx_codat_path_leaf("errormessage", NGX_CODAT_IN_E_MESSAGE),
    ngx_codat_path_leaf("statustext", NGX_CODAT_IN_E_TEXT),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_link[] = {
    ngx_codat_path_leaf("id", NGX_CODAT_IN_L_ID),
    ngx_codat_path_leaf("status", NGX_CODAT_IN_L_STATUS),
    ngx_codat_path_leaf("integrationkey", NGX_CODAT_IN_L_INTEGRATION_KEY),
    ngx_codat_path_leaf("platformname", NGX_CODAT_IN_L_PLATFORM_NAME),
    ngx_codat_path_leaf("sourcetype", NGX_CODAT_IN_L_SOURCE_TYPE),
    ngx_codat_path_tree("dataconnectionerrors", NGX_CODAT_IN_ERRORS,
                        ngx_codat_path_errors, NGX_CODAT_JSON_ANY),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_issues[] = {
    ngx_codat_path_leaf("message", NGX_CODAT_IN_I_MESSAGE),
    ngx_codat_path_end
};


/* what belongs together is taken from one element */

static const ngx_codat_json_path_t  ngx_codat_path_reads[] = {
    ngx_codat_path_first("datatype", NGX_CODAT_IN_T_DATA_TYPE),
    ngx_codat_path_first("status", NGX_CODAT_IN_T_STATUS),
    ngx_codat_path_first("connectionid", NGX_CODAT_IN_T_CONNECTION),
    ngx_codat_path_tree("issues", NGX_CODAT_IN_ISSUES,
                        ngx_codat_path_issues, NGX_CODAT_JSON_ANY),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_expenses[] = {
    ngx_codat_path_leaf("errormessage", NGX_CODAT_IN_X_MESSAGE),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_payload[] = {
    ngx_codat_path_leaf("id", NGX_CODAT_IN_P_ID),
    ngx_codat_path_leaf("name", NGX_CODAT_IN_P_NAME),
    ngx_codat_path_leaf("tags", NGX_CODAT_IN_P_TAGS),
    ngx_codat_path_leaf("type", NGX_CODAT_IN_P_TYPE),
    ngx_codat_path_leaf("status", NGX_CODAT_IN_P_STATUS),
    ngx_codat_path_leaf("syncid", NGX_CODAT_IN_P_SYNC_ID),
    ngx_codat_path_leaf("companyid", NGX_CODAT_IN_P_COMPANY_ID),
    ngx_codat_path_leaf("connectionid", NGX_CODAT_IN_P_CONNECTION),
    ngx_codat_path_leaf("attachmentid", NGX_CODAT_IN_P_ATTACHMENT_ID),
    ngx_codat_path_leaf("pushoperationkey", NGX_CODAT_IN_P_PUSH_KEY),
    ngx_codat_path_leaf("requestedondate", NGX_CODAT_IN_P_REQUESTED),
    ngx_codat_path_leaf("completedondate", NGX_CODAT_IN_P_COMPLETED),
    ngx_codat_path_leaf("created", NGX_CODAT_IN_P_CREATED),
    ngx_codat_path_leaf("expirydate", NGX_CODAT_IN_P_EXPIRY),
    ngx_codat_path_leaf("dailyquota", NGX_CODAT_IN_P_QUOTA),
    ngx_codat_path_tree("record", NGX_CODAT_IN_RECORD,
                        ngx_codat_path_record, 0),
    ngx_codat_path_tree("referencecompany", NGX_CODAT_IN_COMPANY,
                        ngx_codat_path_reference, 0),
    ngx_codat_path_tree("connection", NGX_CODAT_IN_LINK,
                        ngx_codat_path_link, 0),
    ngx_codat_path_tree("datatypes", NGX_CODAT_IN_READS,
                        ngx_codat_path_reads, NGX_CODAT_JSON_ANY),
    ngx_codat_path_tree("transactions", NGX_CODAT_IN_EXPENSES,
                        ngx_codat_path_expenses, NGX_CODAT_JSON_ANY),
    ngx_codat_path_end
};


static const ngx_codat_json_path_t  ngx_codat_path_data[] = {
    ngx_codat_path_leaf("datatype", NGX_CODAT_IN_D_DATA_TYPE),
    ngx_codat_path_leaf("status", NGX_CODAT_IN_D_STATUS),
    ngx_codat_path_leaf("datasetstatus", NGX_CODAT_IN_D_DATASET_STATUS),
    ngx_codat_path_leaf("newstatus", NGX_CODAT_IN_D_NEW_STATUS),
    ngx_codat_path_leaf("oldstatus", NGX_CODAT_IN_D_OLD_STATUS),
    ngx_codat_path_leaf("dataconnectionid", NGX_CODAT_IN_D_CONNECTION),
    ngx_codat_path_leaf("platformkey", NGX_CODAT_IN_D_PLATFORM_KEY),
    ngx_codat_path_leaf("pushoperationkey", NGX_CODAT_IN_D_PUSH_KEY),
    ngx_codat_path_leaf("pushoperationguid", NGX_CODAT_IN_D_PUSH_GUID),
    ngx_codat_path_leaf("companyname", NGX_CODAT_IN_D_COMPANY_NAME),
    ngx_codat_path_leaf("sourcetype", NGX_CODAT_IN_D_SOURCE_TYPE),
    ngx_codat_path_leaf("syncid", NGX_CODAT_IN_D_SYNC_ID),
    ngx_codat_path_leaf("failurestage", NGX_CODAT_IN_D_FAILURE_STAGE),
    ngx_codat_path_leaf("expiresutc", NGX_CODAT_IN_D_EXPIRES),
    ngx_codat_path_leaf("dailyquota", NGX_CODAT_IN_D_QUOTA),
    ngx_codat_path_end
};


const ngx_codat_json_path_t  ngx_codat_paths[] = {
    ngx_codat_path_leaf("id", NGX_CODAT_IN_ID),
    ngx_codat_path_leaf("eventtype", NGX_CODAT_IN_EVENT_TYPE),
    ngx_codat_path_leaf("type", NGX_CODAT_IN_TYPE),
    ngx_codat_path_leaf("ruletype", NGX_CODAT_IN_RULE_TYPE),
    ngx_codat_path_leaf("generateddate", NGX_CODAT_IN_GENERATED),
    ngx_codat_path_leaf("alertid", NGX_CODAT_IN_ALERT_ID),
    ngx_codat_path_leaf("ruleid", NGX_CODAT_IN_RULE_ID),
    ngx_codat_path_leaf("clientid", NGX_CODAT_IN_CLIENT_ID),
    ngx_codat_path_leaf("companyid", NGX_CODAT_IN_COMPANY_ID),
    ngx_codat_path_leaf("dataconnectionid", NGX_CODAT_IN_DATA_CONNECTION),
    ngx_codat_path_leaf("message", NGX_CODAT_IN_MESSAGE),
    ngx_codat_path_leaf("connectionid", NGX_CODAT_IN_CONNECTION),
    ngx_codat_path_tree("data", NGX_CODAT_IN_DATA,
                        ngx_codat_path_data, 0),
    ngx_codat_path_tree("payload", NGX_CODAT_IN_PAYLOAD,
                        ngx_codat_path_payload, 0),
    ngx_codat_path_end
};


const ngx_codat_json_path_t  ngx_codat_read_paths[] = {
    ngx_codat_path_leaf("datatype", NGX_CODAT_READ_DATA_TYPE),
    ngx_codat_path_leaf("status", NGX_CODAT_READ_STATUS),
    ngx_codat_path_leaf("connectionid", NGX_CODAT_READ_CONNECTION),
    ngx_codat_path_end
};
