"""`python -m dicomgate` is the command `dicomgate`."""

from dicomgate.cli.main import main

if __name__ == "__main__":
    main()
