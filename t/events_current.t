# Events of today's service: canonical types, and where the fields come from.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Events;
use JSON::PP ();
use Test::More;


my $json = JSON::PP->new->utf8->canonical;


sub current {
    my ($type, $payload, %more) = @_;

    return { eventType => $type, id => uuid(),
             generatedDate => '2026-01-02T03:04:05.678Z',
             payload => $payload, %more };
}


sub company {
    return { id => 'co', name => 'Finch', description => undef,
             links => { portal => 'https://example.com' },
             tags => { region => 'uk' } };
}


my %common = (generation => 'current', companyId => 'co',
              companyName => 'Finch', tags => { region => 'uk' });


# --- writes

my @types = qw(bankAccounts bankTransactions billCreditNotes billPayments bills
    chartOfAccounts creditNotes customers directCosts directIncomes invoices
    items journalEntries journals payments purchaseOrders suppliers transfers);
my %singular = (journalEntries => 'journalEntry',
                chartOfAccounts => 'chartOfAccount');

for my $type (@types) {
    subtest "$type.write.*" => sub {
        my $one = $singular{$type} // $type =~ s/s$//r;

        for my $name ("$type.write.successful", "$one.write.successful",
                      uc("$type.write.successful"),
                      "$one.Write.Successful") {
            my $data = event(current($name, {
                id => 'pk', type => 'Create', status => 'Success',
                referenceCompany => company(), connectionId => 'cn',
                record => { id => 'rec' }, attachmentId => undef,
                requestedOnDate => '2026-01-02T03:00:00Z' }));

            is_deeply($data, { %common, receivedType => $name,
                eventType => "$type.write.successful", dataType => $type,
                pushOperationKey => 'pk', pushStatus => 'Success',
                pushType => 'Create', recordId => 'rec', connectionId => 'cn',
            }, $name);
        }
    };
}

my @outcomes = (
    # name, status in the body, status of the event
    ['successful', 'Success', 'Success'],
    ['successful', 'Successful', 'Success'],
    ['successful', undef, 'Success'],
    ['unsuccessful', 'Failed', 'Failed'],
    ['unsuccessful', 'timedOut', 'TimedOut'],
    ['unsuccessful', undef, 'Failed'],
    ['successful', 'TimedOut', 'TimedOut'],     # published so
    ['unsuccessful', 'Odd', 'Odd'],
    ['pending', undef, 'Pending'],
);

for my $row (@outcomes) {
    my ($name, $status, $expect) = @$row;

    subtest "bills.write.$name, " . ($status // 'null') => sub {
        my $data = event(current("bills.write.$name",
                                 { id => 'pk', status => $status }));
        is($data->{pushStatus}, $expect, 'status');
        is($data->{eventType}, "bills.write.$name", 'type');
        is($data->{recordId}, undef, 'no record');
    };
}

subtest 'an attachment' => sub {
    my $data = event(body('bills.write.successful', attachment_id => 'at',
                          record_id => 'rec', push_key => 'pk'));
    is($data->{attachmentId}, 'at', 'its id');
    is($data->{pushType}, 'UploadAttachment', 'type');
    is($data->{recordId}, 'rec', 'record');
};

subtest 'a type of data that nobody knows can be written' => sub {
    my $data = event(current('newThings.write.successful', { id => 'pk' }));
    is($data->{eventType}, 'newThings.write.successful', 'type');
    is($data->{dataType}, 'newThings', 'data type');
    is($data->{pushOperationKey}, 'pk', 'key');

    $data = event(current('bills.write.odd', { id => 'pk' }));
    is($data->{eventType}, 'bills.write.odd', 'an outcome that nobody knows');
    is($data->{pushStatus}, undef, 'says nothing of the status');
};


# --- connections: the name is the fact

my @connections = (
    ['created', 'PendingAuth', 'PendingAuth'],
    ['connected', 'Linked', 'Linked'],
    ['connected', 'PendingAuth', 'Linked'],
    ['reconnected', 'Linked', 'Linked'],
    ['disconnected', 'Unlinked', 'Unlinked'],
    ['disconnected', 'Deauthorized', 'Deauthorized'],
    ['disconnected', 'deauthorized', 'Deauthorized'],
    ['disconnected', 'Linked', 'Unlinked'],
    ['failed', 'PendingAuth', 'PendingAuth'],
    ['deleted', 'Linked', 'Deleted'],
    ['deleted', undef, 'Deleted'],
    ['renamed', 'Linked', 'Linked'],
);

for my $row (@connections) {
    my ($name, $status, $expect) = @$row;

    subtest "connection.$name with " . ($status // 'null') => sub {
        my $data = event(current("connection.$name", {
            referenceCompany => company(),
            connection => { id => 'cn', status => $status,
                            integrationKey => 'xmpl', platformName => 'Books',
                            sourceType => 'Banking', linkUrl => 'https://x' },
        }));

        is_deeply($data, { %common, eventType => "connection.$name",
            receivedType => "connection.$name", connectionId => 'cn',
            connectionStatus => $expect, integrationKey => 'xmpl',
            platformName => 'Books', sourceType => 'Banking' }, 'data');
    };
}

subtest 'errors of a connection' => sub {
    my $errors = sub {
        my $data = event(current('connection.failed', { connection => {
            id => 'cn', dataConnectionErrors => $_[0] } }));
        return $data->{errorMessage};
    };

    is($errors->([{ statusCode => '403', statusText => 'text',
                    errorMessage => 'message' }]), 'message', 'message');
    is($errors->([{ statusText => 'text', errorMessage => undef }]), 'text',
       'text where there is none');
    is($errors->([{ errorMessage => undef }, { errorMessage => 'second' }]),
       'second', 'the first that has one');
    is($errors->([]), undef, 'none');
    is($errors->(undef), undef, 'null');
};


# --- companies: payload.id is the company

for my $name (qw(company.created company.deleted company.product.added
                 company.product.removed company.new.thing)) {
    subtest $name => sub {
        my $data = event(current($name, company()));
        is_deeply($data, { %common, eventType => $name,
                           receivedType => $name }, 'data');
    };
}


# --- reads

for my $name (map { my $product = $_; map { "$product$_" }
                    qw(read.completed read.completed.initial
                       read.completed.successful read.completed.unsuccessful
                       read.completed.successful.initial) }
              '', 'lending.', 'my-product.') {
    subtest $name => sub {
        my $data = event(current($name, {
            referenceCompany => company(),
            dataTypes => [
                { connectionId => 'cn-1', dataType => 'bills',
                  status => 'FetchError', recordsModified => JSON::PP::false,
                  issues => [{ message => 'first' }, { message => 'other' }] },
                { connectionId => 'cn-2', dataType => 'items',
                  status => 'Complete', issues => [{ message => 'no' }] },
            ] }));

        is_deeply($data, { %common, eventType => $name,
            receivedType => $name, connectionId => 'cn-1',
            dataType => 'bills', dataStatus => 'FetchError',
            errorMessage => 'first' }, 'data of the first');
    };
}

subtest 'what belongs together comes from one element' => sub {
    my $data = event(current('read.completed', { dataTypes => [
        { dataType => 'bills' },
        { dataType => 'items', status => 'Complete', connectionId => 'cn-2' },
    ] }));

    is($data->{dataType}, 'bills', 'data type');
    is($data->{dataStatus}, undef, 'no status of another one');
    is($data->{connectionId}, undef, 'no connection of another one');
};

subtest 'reads of nothing' => sub {
    for my $types ([], undef, {}, 'x') {
        my $data = event(current('read.completed', { dataTypes => $types,
                                 referenceCompany => { id => 'co' } }));
        is($data->{companyId}, 'co', 'company');
        is($data->{dataType}, undef, 'no data type');
    }
};


# --- the rest

my @others = (
    ['client.rateLimit.reached', { dailyQuota => 1000, quotaRemaining => 0 },
     {}],
    ['client.rateLimit.reset', { expiryDate => '2024-09-01T23:59:99Z' }, {}],
    ['bankFeeds.sourceAccount.connected',
     { referenceCompany => company(), connectionId => 'cn',
       sourceAccount => { id => 'acc', status => 'pending' } },
     { %common, connectionId => 'cn' }],
    ['bankFeeds.sourceAccount.disconnected',
     { companyId => 'co', connectionId => 'cn' },
     { companyId => 'co', connectionId => 'cn' }],
    ['expenses.sync.successful',
     { referenceCompany => company(), syncId => 's',
       transactions => [{ id => 't', errorMessage => undef }] },
     { %common, syncId => 's' }],
    ['expenses.sync.unsuccessful',
     { referenceCompany => company(), syncId => 's',
       transactions => [{ id => 't', errorMessage => undef },
                        { id => 'u', errorMessage => 'closed' }] },
     { %common, syncId => 's', errorMessage => 'closed' }],
    (map { my $report = $_; map {
        ["reports.$report.generate.$_",
         { id => 'report', referenceCompany => company() }, { %common }]
    } qw(successful unsuccessful) }
    qw(categorizedBankStatement creditModel spendAnalysis newOne)),
    ['payables.bill.created', { companyId => 'co', connectionId => 'cn',
                                pushOperationKey => 'pk' },
     { companyId => 'co', connectionId => 'cn', pushOperationKey => 'pk' }],
    ['anything else, whatever', { companyId => 'co' }, { companyId => 'co' }],
);

for my $row (@others) {
    my ($name, $payload, $expect) = @$row;

    subtest $name => sub {
        is_deeply(event(current($name, $payload)),
                  { generation => 'current', eventType => $name,
                    receivedType => $name, %$expect }, 'data');
    };
}

subtest 'other spellings of names' => sub {
    my %spelling = (
        'report.creditModel.generate.successful'
            => 'reports.creditModel.generate.successful',
        'Report.CREDITMODEL.generate.Successful'
            => 'reports.creditModel.generate.successful',
        'report.newOne.generate.successful'
            => 'reports.newOne.generate.successful',
        'CLIENT.RATELIMIT.REACHED' => 'client.rateLimit.reached',
        'Connection.Deleted' => 'connection.deleted',
        'bankfeeds.sourceaccount.connected'
            => 'bankFeeds.sourceAccount.connected',
        'Read.Completed.Initial' => 'read.completed.initial',
    );

    for my $name (sort keys %spelling) {
        my $data = event(current($name, {}));
        is($data->{eventType}, $spelling{$name}, $name);
        is($data->{receivedType}, $name, 'as received');
    }
};

subtest 'the name is found as "type" too' => sub {
    my $data = event({ type => 'connection.deleted', id => 'a',
                       payload => { connection => { id => 'cn' } } });
    is($data->{eventType}, 'connection.deleted', 'type');
    is($data->{generation}, 'current', 'generation');
    is($data->{connectionStatus}, 'Deleted', 'fields');

    $data = event({ type => 'other', eventType => 'company.created',
                    payload => {} });
    is($data->{eventType}, 'company.created', 'eventType goes before');

    $data = event({ type => 'bills.write.successful' });
    is($data->{generation}, 'current', 'a dotted name without payload');
};

subtest 'names that are none' => sub {
    for my $name (undef, '', 7, {}, [], JSON::PP::true) {
        my $data = event(current($name, { referenceCompany => company() }));
        is_deeply($data, { %common, eventType => 'unknown' },
                  $json->encode([$name]));
    }
};

subtest 'a nil connection is none' => sub {
    my $data = event(current('bills.write.successful', { id => 'pk',
        connectionId => '00000000-0000-0000-0000-000000000000' }));
    is($data->{connectionId}, undef, 'left out');
};

subtest 'AccountCategoriesUpdated is current and still an alert' => sub {
    my $data = event(body('AccountCategoriesUpdated', company => 'co'));
    is($data->{eventType}, 'AccountCategoriesUpdated', 'type');
    is($data->{companyId}, 'co', 'company');
};


# whatever the sender has to offer

for my $entry (catalogue()) {
    next if $entry->{generation} ne 'current';

    my $event = $entry->{event} =~ s/\{product\}/lending/r;

    subtest "sent today: $event" => sub {
        my $data = event(body($event, company => 'co-9', connection => 'cn-9',
                              company_name => 'N', push_key => 'pk-9'));

        is($data->{eventType}, $event, 'type');
        return if $event eq 'AccountCategoriesUpdated';

        is($data->{receivedType}, $event, 'received');
        is($data->{generation}, 'current', 'generation');
        is($data->{companyId}, $event =~ /^client/ ? undef : 'co-9', 'company');
        is($data->{connectionId},
           $event =~ /write|^connection|read|bankFeeds/ ? 'cn-9' : undef,
           'connection');
        is($data->{pushOperationKey}, $event =~ /\.write\./ ? 'pk-9' : undef,
           'push');
    };
}


events_done();
