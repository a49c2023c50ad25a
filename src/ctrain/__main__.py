"""`python -m ctrain`."""

from ctrain.cli import main

if __name__ == "__main__":
    main()
