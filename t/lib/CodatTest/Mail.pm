package CodatTest::Mail;

# An SMTP server (aiosmtpd, t/mail/smtpd) with its mailbox, and tools/codat-mail
# in front of it, each a process of its own on 127.0.0.1.

use strict;
use warnings;

use File::Temp ();

use CodatTest ();
use CodatTest::Port qw(free_port);
use CodatTest::Slow;

my %live;


# new(args => [of codat-mail], starttls => 0, user => NAME,
#     password => PASSWORD, secret => what codat-mail has for one)

sub new {
    my ($class, %opt) = @_;

    my $self = bless { %opt, owner => $$ }, $class;

    $self->{dir} = File::Temp->newdir('codat-mail-XXXXXX', TMPDIR => 1);
    $self->{path} = $self->{dir}->dirname;
    $self->{smtp} = free_port();
    $self->{port} = free_port();

    ($self->{cert}, $self->{key}) =
        CodatTest::make_cert($self->{path}, 'localhost') if $opt{starttls};

    my $host = $opt{starttls} ? 'localhost' : '127.0.0.1';
    my @args = ('--smtp', "$host:$self->{smtp}");
    push @args, '--tls', 'starttls', '--ca-file', $self->{cert}
        if $opt{starttls};

    if ($opt{user}) {
        open(my $fh, '>', "$self->{path}/secret") or die "secret: $!\n";
        print $fh $opt{secret} // $opt{password}, "\n";
        close($fh);
        push @args, '--user', $opt{user}, '--password-file',
            "$self->{path}/secret";
    }

    my $top = CodatTest::top();

    $self->start_smtp;
    $self->{relay} = _start($^X, "$top/tools/codat-mail", '--from',
        'codat@hooks.example.com', '--listen', "127.0.0.1:$self->{port}",
        @args, @{$opt{args} // ['--to', 'finance@example.com']});

    return $self;
}


sub address { "127.0.0.1:$_[0]{port}" }
sub port { $_[0]{port} }


sub start_smtp {
    my $self = shift;

    $self->{server} = _start('/usr/bin/python3',
        CodatTest::top() . '/t/mail/smtpd', $self->{smtp},
        "$self->{path}/box", $self->{cert} ? @$self{qw(cert key)} : (),
        $self->{user} ? @$self{qw(user password)} : ());
}


sub stop_smtp {
    my $self = shift;

    _stop(delete $self->{server});
}


# messages(): the texts of the mails in the order of their names

sub messages {
    my $self = shift;

    return map { open(my $fh, '<:raw', $_) or die "$_: $!\n";
                 local $/; scalar <$fh> } sort glob("$self->{path}/box/new/*");
}


# wait_messages($n): as soon as there are so many

sub wait_messages {
    my ($self, $n) = @_;

    my $until = time + slow(10);

    while (1) {
        my @messages = $self->messages;
        return @messages if @messages >= $n || time > $until;
        select(undef, undef, undef, 0.05);
    }
}


sub _start {
    my @command = @_;

    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if (!$pid) {
        open(STDERR, '>', '/dev/null');
        exec(@command) or die "$command[0]: $!\n";
    }

    $live{$pid} = $out;
    my $line = readline($out) // '';
    die "$command[1] has not started\n" if $line !~ /ready/;

    return $pid;
}


sub _stop {
    my $pid = shift // return;

    kill('KILL', $pid);
    local ($?, $!);
    close(delete $live{$pid}) if $live{$pid};
}


sub DESTROY {
    my $self = shift;

    return if ($self->{owner} // 0) != $$;
    _stop($self->{$_}) for grep { $self->{$_} } qw(relay server);
}


END {
    my $status = $?;
    _stop($_) for keys %live;
    $? = $status;
}


1;
