
/*
 * Copyright (C) the authors of the Codat module
 *
 * Ring 0.  Owns the record, see ngx_codat_record.h.  The packed form is a
 * sequence of items, each a tag and what follows it:
 *
 *     0x00 + text    a length of one byte, or of two with the highest bit
 *                    set, and the text
 *     0x20 + text    a UUID in 16 bytes
 *     0x80 + text    a word that everybody uses, by its number in one byte
 *     0x40 + time    a time in 8 bytes
 *     0x60           a mask of times in 2 bytes, and the time they have
 *
 * Numbers have the most significant byte first.  Allocates nothing; must not
 * know where packed records lie.
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_codat_names.h"
#include "ngx_codat_record.h"


#define NGX_CODAT_PACKED_TEXT   0x00
#define NGX_CODAT_PACKED_UUID   0x20
#define NGX_CODAT_PACKED_TIME   0x40
#define NGX_CODAT_PACKED_TIMES  0x60
#define NGX_CODAT_PACKED_WORD   0x80
#define NGX_CODAT_PACKED_INDEX  0x1f


typedef struct {
    ngx_codat_record_t   *record;
    const u_char         *pos;
    const u_char         *last;
    u_char               *scratch;
    u_char               *end;
} ngx_codat_unpack_t;


static ngx_int_t ngx_codat_uuid_read(const ngx_str_t *text, u_char *uuid,
    ngx_uint_t *upper);
static u_char *ngx_codat_pack_text(u_char *p, ngx_uint_t text,
    const ngx_str_t *value);
static u_char *ngx_codat_pack_number(u_char *p, uint64_t value,
    ngx_uint_t bytes);
static ngx_int_t ngx_codat_unpack_item(ngx_codat_unpack_t *in);
static ngx_int_t ngx_codat_unpack_text(ngx_codat_unpack_t *in,
    ngx_str_t *value);
static ngx_int_t ngx_codat_unpack_uuid(ngx_codat_unpack_t *in,
    const u_char *uuid, ngx_str_t *value);
static ngx_int_t ngx_codat_unpack_number(ngx_codat_unpack_t *in,
    ngx_uint_t bytes, uint64_t *value);
static ngx_int_t ngx_codat_unpack_times(ngx_codat_unpack_t *in);


/*
 * How much of each text is remembered, and whether a longer one is cut: half
 * an id is the id of something else.  All of them and all times together fit
 * NGX_CODAT_RECORD_MAX.
 */

static const struct {
    size_t      max;
    unsigned    cut:1;
    unsigned    uuid:1;
    unsigned    word:1;
} ngx_codat_texts[NGX_CODAT_TEXTS] = {
    { NGX_CODAT_ID_MAX, 0, 1, 0 },        /* ID */
    { NGX_CODAT_ID_MAX, 0, 1, 0 },        /* COMPANY */
    { NGX_CODAT_ID_MAX, 0, 1, 0 },        /* CONNECTION */
    { NGX_CODAT_WORD_MAX, 1, 0, 1 },      /* DATA_TYPE */
    { NGX_CODAT_WORD_MAX, 1, 0, 1 },      /* TYPE */
    { NGX_CODAT_ID_MAX, 0, 1, 0 },        /* RECORD */
    { NGX_CODAT_ID_MAX, 0, 1, 0 },        /* ATTACHMENT */
    { NGX_CODAT_ERROR_MAX, 1, 0, 0 },     /* ERROR */
    { NGX_CODAT_REFERENCE_MAX, 0, 1, 0 }, /* REFERENCE */
    { NGX_CODAT_NAME_MAX, 1, 0, 0 },      /* NAME */
    { NGX_CODAT_WORD_MAX, 1, 0, 0 },      /* INTEGRATION */
    { NGX_CODAT_WORD_MAX, 1, 0, 0 },      /* PLATFORM */
    { NGX_CODAT_WORD_MAX, 1, 0, 1 },      /* SOURCE_TYPE */
    { NGX_CODAT_WORD_MAX, 1, 0, 1 },      /* STATUS */
    { NGX_CODAT_QUOTA_MAX, 0, 0, 0 }      /* QUOTA */
};


/* for numbers, which stay within one build: the order does not matter */

static const ngx_str_t  ngx_codat_words[] = {
    ngx_string("Create"),
    ngx_string("Update"),
    ngx_string("Delete"),
    ngx_string("UploadAttachment"),
    ngx_string("Complete"),
    ngx_string("Accounting"),
    ngx_string("Banking"),
    ngx_string("Commerce"),
    ngx_string("accountTransactions"),
    ngx_string("balanceSheet"),
    ngx_string("bankAccounts"),
    ngx_string("bankTransactions"),
    ngx_string("billCreditNotes"),
    ngx_string("billPayments"),
    ngx_string("bills"),
    ngx_string("cashFlowStatement"),
    ngx_string("chartOfAccounts"),
    ngx_string("company"),
    ngx_string("creditNotes"),
    ngx_string("customers"),
    ngx_string("directCosts"),
    ngx_string("directIncomes"),
    ngx_string("invoices"),
    ngx_string("itemReceipts"),
    ngx_string("items"),
    ngx_string("journalEntries"),
    ngx_string("journals"),
    ngx_string("paymentMethods"),
    ngx_string("payments"),
    ngx_string("profitAndLoss"),
    ngx_string("purchaseOrders"),
    ngx_string("salesOrders"),
    ngx_string("suppliers"),
    ngx_string("taxRates"),
    ngx_string("trackingCategories"),
    ngx_string("transfers")
};

#define NGX_CODAT_WORDS  (sizeof(ngx_codat_words) / sizeof(ngx_str_t))


/* digits in hexadecimal; U marks those in upper case, X is none */

#define U  0x10
#define X  0x80

static const u_char  ngx_codat_hex[256] = {
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, X, X, X, X, X, X,
    X, U+10, U+11, U+12, U+13, U+14, U+15, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X
};

#undef U
#undef X


ngx_int_t
ngx_codat_uuid_parse(const ngx_str_t *text, u_char *uuid)
{
    ngx_uint_t  upper;

    return ngx_codat_uuid_read(text, uuid, &upper);
}


ngx_uint_t
ngx_codat_id_same(const ngx_str_t *one, const ngx_str_t *two)
{
    u_char  a[NGX_CODAT_KEY_LEN], b[NGX_CODAT_KEY_LEN];

    if (one->len != two->len) {
        return 0;
    }

    if (ngx_codat_uuid_parse(one, a) == NGX_OK
        && ngx_codat_uuid_parse(two, b) == NGX_OK)
    {
        return ngx_memcmp(a, b, NGX_CODAT_KEY_LEN) == 0;
    }

    return ngx_memcmp(one->data, two->data, one->len) == 0;
}


/* done for every id of every event, hence without a branch for each digit */

static ngx_int_t
ngx_codat_uuid_read(const ngx_str_t *text, u_char *uuid, ngx_uint_t *upper)
{
    u_char         high, low;
    ngx_uint_t     i, seen;
    const u_char  *p;

    static const u_char  digits[NGX_CODAT_KEY_LEN] = {
        0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34
    };

    p = text->data;

    if (text->len != NGX_CODAT_UUID_LEN
        || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
    {
        return NGX_DECLINED;
    }

    seen = 0;

    for (i = 0; i < NGX_CODAT_KEY_LEN; i++) {
        high = ngx_codat_hex[p[digits[i]]];
        low = ngx_codat_hex[p[digits[i] + 1]];

        seen |= high | low;
        uuid[i] = (u_char) (high << 4 | (low & 0x0f));
    }

    *upper = seen & 0x10;

    return (seen & 0x80) ? NGX_DECLINED : NGX_OK;
}


u_char *
ngx_codat_uuid_format(u_char *p, const u_char *uuid)
{
    ngx_uint_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < NGX_CODAT_KEY_LEN; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        *p++ = hex[uuid[i] >> 4];
        *p++ = hex[uuid[i] & 0xf];
    }

    return p;
}


ngx_str_t
ngx_codat_record_text(const ngx_codat_record_t *record, ngx_uint_t text)
{
    ngx_str_t  value;

    value = record->texts[text];

    if (value.len <= ngx_codat_texts[text].max) {
        return value;
    }

    if (!ngx_codat_texts[text].cut) {
        ngx_str_null(&value);
        return value;
    }

    value.len = ngx_codat_texts[text].max;

    while (value.len && (value.data[value.len] & 0xc0) == 0x80) {
        value.len--;
    }

    return value;
}


size_t
ngx_codat_record_pack(const ngx_codat_record_t *record, u_char *p)
{
    u_char      *start, uuid[NGX_CODAT_KEY_LEN];
    ngx_str_t    value;
    ngx_uint_t   i, j, mask, done;

    start = p;

    /* an id that is missing is that of the key; there may be none at all */

    value = ngx_codat_record_text(record, NGX_CODAT_TEXT_ID);

    if (ngx_codat_uuid_parse(&value, uuid) != NGX_OK) {
        p = ngx_codat_pack_text(p, NGX_CODAT_TEXT_ID, &value);
    }

    for (i = NGX_CODAT_TEXT_ID + 1; i < NGX_CODAT_TEXTS; i++) {

        if (record->texts[i].len == 0) {
            continue;
        }

        value = ngx_codat_record_text(record, i);

        if (value.len) {
            p = ngx_codat_pack_text(p, i, &value);
        }
    }

    /* most of them are the time of one event */

    done = 0;

    for (i = 0; i < NGX_CODAT_TIMES; i++) {

        if (record->times[i] == 0 || (done >> i & 1)) {
            continue;
        }

        mask = (ngx_uint_t) 1 << i;

        for (j = i + 1; j < NGX_CODAT_TIMES; j++) {
            mask |= (ngx_uint_t) (record->times[j] == record->times[i]) << j;
        }

        if (mask >> i == 1) {
            *p++ = (u_char) (NGX_CODAT_PACKED_TIME + i);

        } else {
            *p++ = NGX_CODAT_PACKED_TIMES;
            p = ngx_codat_pack_number(p, mask, 2);
        }

        p = ngx_codat_pack_number(p, (uint64_t) record->times[i], 8);

        done |= mask;
    }

    return (size_t) (p - start);
}


static u_char *
ngx_codat_pack_text(u_char *p, ngx_uint_t text, const ngx_str_t *value)
{
    u_char      uuid[NGX_CODAT_KEY_LEN];
    ngx_uint_t  i, upper;

    /* one in upper case is a text, to come back as it was */

    if (ngx_codat_texts[text].uuid
        && ngx_codat_uuid_read(value, uuid, &upper) == NGX_OK
        && !upper)
    {
        *p++ = (u_char) (NGX_CODAT_PACKED_UUID + text);
        return ngx_cpymem(p, uuid, NGX_CODAT_KEY_LEN);
    }

    if (ngx_codat_texts[text].word) {

        for (i = 0; i < NGX_CODAT_WORDS; i++) {

            if (ngx_codat_words[i].len == value->len
                && ngx_memcmp(ngx_codat_words[i].data, value->data,
                              value->len)
                   == 0)
            {
                *p++ = (u_char) (NGX_CODAT_PACKED_WORD + text);
                *p++ = (u_char) i;

                return p;
            }
        }
    }

    *p++ = (u_char) (NGX_CODAT_PACKED_TEXT + text);

    if (value->len < 0x80) {
        *p++ = (u_char) value->len;

    } else {
        p = ngx_codat_pack_number(p, 0x8000 | value->len, 2);
    }

    if (value->len == 0) {
        return p;
    }

    return ngx_cpymem(p, value->data, value->len);
}


static u_char *
ngx_codat_pack_number(u_char *p, uint64_t value, ngx_uint_t bytes)
{
    while (bytes--) {
        *p++ = (u_char) (value >> (8 * bytes));
    }

    return p;
}


ngx_int_t
ngx_codat_record_unpack(ngx_codat_record_t *record, const u_char *p,
    size_t len, const u_char *key, u_char *scratch)
{
    ngx_int_t           rc;
    ngx_codat_unpack_t  in;

    ngx_memzero(record->texts, sizeof(record->texts));
    ngx_memzero(record->times, sizeof(record->times));

    in.record = record;
    in.pos = p;
    in.last = p + len;
    in.scratch = scratch;
    in.end = scratch + NGX_CODAT_RECORD_SCRATCH;

    rc = NGX_OK;

    while (in.pos < in.last && rc == NGX_OK) {
        rc = ngx_codat_unpack_item(&in);
    }

    /* an id that was packed is not NULL, though it may be empty */

    if (record->texts[NGX_CODAT_TEXT_ID].data == NULL && key
        && ngx_codat_unpack_uuid(&in, key, &record->texts[NGX_CODAT_TEXT_ID])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_codat_unpack_item(ngx_codat_unpack_t *in)
{
    uint64_t       value;
    ngx_uint_t     tag, i;
    const u_char  *uuid;

    tag = *in->pos++;
    i = tag & NGX_CODAT_PACKED_INDEX;

    switch (tag - i) {

    case NGX_CODAT_PACKED_TEXT:

        if (i >= NGX_CODAT_TEXTS) {
            return NGX_ERROR;
        }

        return ngx_codat_unpack_text(in, &in->record->texts[i]);

    case NGX_CODAT_PACKED_UUID:

        if (i >= NGX_CODAT_TEXTS
            || in->last - in->pos < (ptrdiff_t) NGX_CODAT_KEY_LEN)
        {
            return NGX_ERROR;
        }

        uuid = in->pos;
        in->pos += NGX_CODAT_KEY_LEN;

        return ngx_codat_unpack_uuid(in, uuid, &in->record->texts[i]);

    case NGX_CODAT_PACKED_WORD:

        if (i >= NGX_CODAT_TEXTS
            || in->pos == in->last
            || *in->pos >= NGX_CODAT_WORDS)
        {
            return NGX_ERROR;
        }

        in->record->texts[i] = ngx_codat_words[*in->pos++];

        return NGX_OK;

    case NGX_CODAT_PACKED_TIME:

        if (i >= NGX_CODAT_TIMES
            || ngx_codat_unpack_number(in, 8, &value) != NGX_OK)
        {
            return NGX_ERROR;
        }

        in->record->times[i] = (int64_t) value;

        return NGX_OK;

    case NGX_CODAT_PACKED_TIMES:

        return i ? NGX_ERROR : ngx_codat_unpack_times(in);

    default:

        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_codat_unpack_text(ngx_codat_unpack_t *in, ngx_str_t *value)
{
    size_t    len;
    uint64_t  number;

    if (in->pos == in->last) {
        return NGX_ERROR;
    }

    if (*in->pos < 0x80) {
        len = *in->pos++;

    } else {
        if (ngx_codat_unpack_number(in, 2, &number) != NGX_OK) {
            return NGX_ERROR;
        }

        len = (size_t) (number & 0x7fff);
    }

    if (len > (size_t) (in->last - in->pos)) {
        return NGX_ERROR;
    }

    /* ngx_str_t has no const; nobody writes to texts */

    value->len = len;
    value->data = (u_char *) (uintptr_t) in->pos;

    in->pos += len;

    return NGX_OK;
}


/* Whoever packs has not more of them than fit, unlike garbage. */

static ngx_int_t
ngx_codat_unpack_uuid(ngx_codat_unpack_t *in, const u_char *uuid,
    ngx_str_t *value)
{
    if (in->end - in->scratch < (ptrdiff_t) NGX_CODAT_UUID_LEN) {
        return NGX_ERROR;
    }

    value->len = NGX_CODAT_UUID_LEN;
    value->data = in->scratch;

    in->scratch = ngx_codat_uuid_format(in->scratch, uuid);

    return NGX_OK;
}


static ngx_int_t
ngx_codat_unpack_number(ngx_codat_unpack_t *in, ngx_uint_t bytes,
    uint64_t *value)
{
    if (in->last - in->pos < (ptrdiff_t) bytes) {
        return NGX_ERROR;
    }

    *value = 0;

    while (bytes--) {
        *value = (*value << 8) | *in->pos++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_codat_unpack_times(ngx_codat_unpack_t *in)
{
    uint64_t    mask, value;
    ngx_uint_t  i;

    if (ngx_codat_unpack_number(in, 2, &mask) != NGX_OK
        || mask >> NGX_CODAT_TIMES
        || ngx_codat_unpack_number(in, 8, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_CODAT_TIMES; i++) {
        if (mask & ((uint64_t) 1 << i)) {
            in->record->times[i] = (int64_t) value;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_codat_record_final(const ngx_codat_record_t *record)
{
    return record->kind == NGX_CODAT_RECORD_PUSH
           && record->state > NGX_CODAT_PUSH_PENDING;
}
