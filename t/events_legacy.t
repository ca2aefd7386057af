# Rule alerts, in all the spellings and shapes in which they were sent or
# published: which event they become, and where its fields come from.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Events;
use Test::More;


sub alert {
    my ($type, %more) = @_;

    return { RuleType => $type, AlertId => uuid(), %more };
}


# what only the name says

my %spellings = (
    'read.completed.initial' => [
        'New company synchronised', 'New company synchronized',
        'NewCompanySynchronized', 'NewCompanySynchronised',
        'New Company Synchronised '],
    'read.completed' => [
        'Data sync completed', 'DataSyncCompleted', 'Dataset data changed',
        'DatasetDataChanged', 'Data Sync Status Changed To Error',
        'Data Sync Status Changed to Error', 'DataSyncStatusChangedToError',
        'Dataset status has changed to an error state'],
    'bills.write.successful' => [
        'Push Operation Status Changed()', 'Push Operation Status Changed',
        'Push operation status has changed', 'PushOperationStatusChanged',
        'push operation status changed ( )', 'PUSHOPERATIONSTATUSCHANGED'],
    'bills.write.unsuccessful' => [
        'Push Operation Timed Out', 'Push operation has timed out',
        'PushOperationTimedOut'],
    'connection.connected' => [
        'DataConnectionStatusChanged', 'Company data connection status changed',
        'data-connection-status-changed'],
    'AccountCategoriesUpdated' => [
        'Account Categories Updated', 'Account categories updated',
        'AccountCategoriesUpdated'],
    'connection.deleted' => [
        'Sync Connection Deleted', 'SyncConnectionDeleted'],
    'SyncStarted' => ['Sync Started', 'SyncStarted'],
    'expenses.sync.successful' => [
        'Sync Completed', 'Sync Complete', 'SyncCompleted',
        'Expenses sync completed'],
    'expenses.sync.unsuccessful' => [
        'Sync Failed', 'SyncFailed', 'Expenses sync failed'],
    'client.rateLimit.reached' => [
        'Rate Limit Reached', 'Client rate limit reached',
        'Client rate limit exceeded', 'ClientRateLimitReached'],
    'client.rateLimit.reset' => [
        'Rate Limit Reset', 'Client rate limit reset', 'ClientRateLimitReset'],
);

for my $type (sort keys %spellings) {
    for my $name (@{$spellings{$type}}) {
        subtest "\"$name\" is $type" => sub {
            my %data = $type =~ /^bills/
                ? (dataType => 'bills', status => 'Success',
                   pushOperationKey => 'pk')
                : $type =~ /connected/
                ? (oldStatus => 'PendingAuth', newStatus => 'Linked') : ();

            my $data = event(alert($name, Data => \%data));
            is($data->{eventType}, $type, 'type');
            is($data->{receivedType}, $name, 'received');
            is($data->{generation}, 'legacy', 'generation');
        };
    }
}


subtest 'the name is found under four keys, in any case' => sub {
    for my $key (qw(RuleType ruleType RULETYPE Type type)) {
        my $data = event({ $key => 'Rate Limit Reached', AlertId => 'a' });
        is($data->{eventType}, 'client.rateLimit.reached', $key);
        is($data->{generation}, 'legacy', "$key: generation");
    }

    my $data = event({ eventType => 'DataSyncCompleted', AlertId => 'b',
                       CompanyId => 'co', Data => { dataType => 'bills' } });
    is($data->{eventType}, 'read.completed', 'eventType with an old body');
    is($data->{dataType}, 'bills', 'and its fields');
};


subtest 'a name that nobody knows is kept, with the fields' => sub {
    my $data = event(alert('Something Quite New', CompanyId => 'co',
                           ClientId => 'cl', Data => { dataType => 'x-y' }));

    is_deeply($data, { eventType => 'Something Quite New',
        receivedType => 'Something Quite New', generation => 'legacy',
        companyId => 'co', clientId => 'cl', dataType => 'x-y' }, 'data');
};


# new status, old status, type, connectionStatus in the event

my @connections = (
    ['PendingAuth', '', 'created', 'PendingAuth'],
    ['PendingAuth', undef, 'created', 'PendingAuth'],
    ['Linked', 'PendingAuth', 'connected', 'Linked'],
    ['linked', 'pendingAuth', 'connected', 'Linked', 'PendingAuth'],
    ['Unlinked', 'Linked', 'disconnected', 'Unlinked'],
    ['Deauthorized', 'Linked', 'disconnected', 'Deauthorized'],
    ['DEAUTHORIZED', 'LINKED', 'disconnected', 'Deauthorized', 'Linked'],
    ['Linked', 'Unlinked', 'reconnected', 'Linked'],
    ['Linked', 'Deauthorized', 'reconnected', 'Linked'],
    ['', '', 'deleted', 'Deleted'],
    [undef, undef, 'deleted', 'Deleted'],
    ['', undef, 'deleted', 'Deleted'],
    ['Linked', '', 'changed', 'Linked'],
    ['Unlinked', '', 'changed', 'Unlinked'],
    ['Linked', 'Linked', 'changed', 'Linked'],
    ['PendingAuth', 'Linked', 'changed', 'PendingAuth'],
    ['Unlinked', 'PendingAuth', 'changed', 'Unlinked'],
    ['Unlinked', 'Deauthorized', 'changed', 'Unlinked'],
    ['Deauthorized', 'Unlinked', 'changed', 'Deauthorized'],
    ['', 'Linked', 'changed', undef],
    ['Paused', 'Linked', 'changed', 'Paused'],
    ['Linked', 'Paused', 'changed', 'Linked'],
);

for my $row (@connections) {
    my ($new, $old, $type, $status, $previous) = @$row;
    my $name = join(' -> ', map { defined $_ ? "\"$_\"" : 'null' } $old, $new);

    subtest "a connection, $name: $type" => sub {
        my $data = event(alert('DataConnectionStatusChanged',
            CompanyId => 'co', ClientId => 'cl', ClientName => 'Client',
            DataConnectionId => 'cn', Message => 'Words.',
            Data => { dataConnectionId => 'cn', newStatus => $new,
                      oldStatus => $old, platformKey => 'xmpl' }));

        $previous //= $old;
        is_deeply($data, {
            eventType => "connection.$type", generation => 'legacy',
            receivedType => 'DataConnectionStatusChanged',
            companyId => 'co', clientId => 'cl', connectionId => 'cn',
            integrationKey => 'xmpl', message => 'Words.',
            $status ? (connectionStatus => $status) : (),
            $previous ? (previousConnectionStatus => $previous) : (),
        }, 'data');
    };
}

is(event(alert('DataConnectionStatusChanged'))->{eventType},
   'connection.deleted', 'a connection without any Data: deleted');


# status, data type, type, status in the event

my @pushes = (
    ['Success', 'invoices', 'invoices.write.successful', 'Success'],
    ['Successful', 'invoices', 'invoices.write.successful', 'Success'],
    ['success', 'INVOICES', 'invoices.write.successful', 'Success'],
    ['Failed', 'bills', 'bills.write.unsuccessful', 'Failed'],
    ['TimedOut', 'bills', 'bills.write.unsuccessful', 'TimedOut'],
    ['Timed Out', 'bills', 'bills.write.unsuccessful', 'TimedOut'],
    ['Pending', 'bills', 'bills.write.pending', 'Pending'],
    ['Success', 'journalEntry', 'journalEntries.write.successful', 'Success'],
    ['Success', 'billCreditNote', 'billCreditNotes.write.successful',
     'Success'],
    ['Success', 'newThings', 'newThings.write.successful', 'Success'],
    ['Success', undef, 'unknown.write.successful', 'Success'],
    ['Rejected', 'bills', 'PushOperationStatusChanged', 'Rejected'],
    [undef, 'bills', 'PushOperationStatusChanged', undef],
);

for my $row (@pushes) {
    my ($status, $of, $type, $canonical) = @$row;

    subtest 'a push of ' . ($of // 'null') . ', ' . ($status // 'null')
            . ": $type" => sub {
        my $data = event(alert('PushOperationStatusChanged',
            CompanyId => 'co', DataConnectionId => 'cn',
            Data => { dataType => $of, status => $status,
                      pushOperationKey => 'pk' }));
        my ($plural) = $type =~ /^(\w+)\.write/;

        is_deeply($data, {
            eventType => $type, generation => 'legacy',
            receivedType => 'PushOperationStatusChanged',
            companyId => 'co', connectionId => 'cn', pushOperationKey => 'pk',
            $canonical ? (pushStatus => $canonical) : (),
            $of ? (dataType => $plural // $of) : (),
        }, 'data');
    };
}

subtest 'the key of a push has two names' => sub {
    my $data = event(alert('Push Operation Timed Out', Message => 'Too late',
        Data => { dataType => 'bills', pushOperationGuid => 'pg' }));

    is_deeply($data, { eventType => 'bills.write.unsuccessful',
        receivedType => 'Push Operation Timed Out', generation => 'legacy',
        dataType => 'bills', pushOperationKey => 'pg',
        pushStatus => 'TimedOut', message => 'Too late',
        errorMessage => 'Too late' }, 'Guid alone');

    $data = event(alert('Push Operation Timed Out',
        Data => { DataType => 'bills', PushOperationGuid => 'pg',
                  PushOperationKey => 'pk' }));
    is($data->{pushOperationKey}, 'pk', 'both, in Pascal case');
};


# name, Data and other keys, what data must have beside the common ones

my @others = (
    ['NewCompanySynchronized', { companyName => 'Finch',
                                 sourceType => 'Accounting' }, {},
     'read.completed.initial', { companyName => 'Finch',
                                 sourceType => 'Accounting' }],
    ['DataSyncCompleted', { dataType => 'bills', datasetId => 'ds' }, {},
     'read.completed', { dataType => 'bills', dataStatus => 'Complete' }],
    ['DataSyncCompleted', { dataType => undef }, {},
     'read.completed', { dataStatus => 'Complete' }],
    ['DatasetDataChanged', { dataType => 'banking-accounts' }, {},
     'read.completed', { dataType => 'banking-accounts' }],
    ['DataSyncStatusChangedToError', { dataType => 'bills',
                                       datasetStatus => 'FetchError' },
     { Message => 'It broke' }, 'read.completed',
     { dataType => 'bills', dataStatus => 'FetchError',
       message => 'It broke', errorMessage => 'It broke' }],
    ['AccountCategoriesUpdated', { modifiedDate => '2024-01-01' }, {},
     'AccountCategoriesUpdated', {}],
    ['SyncConnectionDeleted', undef, {}, 'connection.deleted',
     { connectionStatus => 'Deleted' }],
    ['SyncStarted', { syncId => 's', syncType => 'Expense' }, {},
     'SyncStarted', { syncId => 's' }],
    ['SyncCompleted', { syncId => 's' }, {}, 'expenses.sync.successful',
     { syncId => 's' }],
    ['SyncFailed', { syncId => 's', FailureStage => 'Pushing' }, {},
     'expenses.sync.unsuccessful', { syncId => 's',
                                     errorMessage => 'Pushing' }],
    ['ClientRateLimitReached', { DailyQuota => 1000 }, {},
     'client.rateLimit.reached', {}],
    ['ClientRateLimitReset', { QuotaRemaining => 1000, ResetReason => 'x' },
     {}, 'client.rateLimit.reset', {}],
);

for my $row (@others) {
    my ($name, $values, $more, $type, $expect) = @$row;

    subtest "the fields of $name" => sub {
        my $data = event(alert($name, CompanyId => 'co', ClientId => 'cl',
            DataConnectionId => '00000000-0000-0000-0000-000000000000',
            $values ? (Data => $values) : (), %$more));

        is_deeply($data, { eventType => $type, receivedType => $name,
            generation => 'legacy', companyId => 'co', clientId => 'cl',
            %$expect }, 'data; a nil connection is none');
    };
}


subtest 'alerts without a name are told by their shape' => sub {
    my %shape = (
        'bills.write.unsuccessful' => { dataType => 'bills',
            pushOperationKey => 'pk', status => 'Failed' },
        'connection.connected' => { newStatus => 'Linked',
                                    oldStatus => 'PendingAuth' },
        'read.completed' => { dataType => 'bills' },
        'unknown' => { other => 1 },
    );

    for my $type (sort keys %shape) {
        my $data = event({ AlertId => 'a', CompanyId => 'co',
                           Data => $shape{$type} });
        is($data->{eventType}, $type, $type);
        is($data->{receivedType}, undef, "$type: nothing was received");
        is($data->{companyId}, 'co', "$type: company");
    }
};


subtest 'the header says who the client is' => sub {
    my $body = alert('Rate Limit Reached', ClientId => 'body');

    is(event($body)->{clientId}, 'body', 'the body where there is none');
    is(event($body, 'X-Codat-ClientId' => 'header')->{clientId}, 'header',
       'the header where there is one');
};


# whatever the sender has to offer

for my $entry (catalogue()) {
    next if $entry->{generation} eq 'current';

    subtest "sent by the $entry->{generation} service: $entry->{event}" => sub {
        my $data = event(body($entry->{event}, company => 'co-9',
            generation => $entry->{generation}, connection => 'cn-9'));

        if ($entry->{event} =~ /^bankFeeds/) {
            is($data->{eventType}, 'unknown', 'bears no name');
            is($data->{companyId}, 'co-9', 'company');
            is($data->{connectionId}, 'cn-9', 'connection');
            return;
        }

        my ($type) = grep {
            grep { lc(s/\W//gr) eq lc $entry->{event} } @{$spellings{$_}}
        } keys %spellings;
        $type =~ s/^bills/invoices/;
        $type = 'connection.connected'
            if $entry->{event} eq 'DataConnectionStatusChanged';

        is($data->{eventType}, $type, 'type');
        is($data->{generation}, 'legacy', 'generation');
        is($data->{companyId}, 'co-9', 'company')
            unless $type =~ /^client/;
        is($data->{connectionId}, 'cn-9', 'connection')
            unless $type =~ /^(client|expenses|SyncS)/
                || $entry->{event} eq 'SyncConnectionDeleted';
    };
}


events_done();
